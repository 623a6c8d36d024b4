package sealpgx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// TestRowKeysOfRanges: pgx reads ranges in binary where database/sql reads their text, and
// values are bound to the same key.
func TestRowKeysOfRanges(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, "")
	t.Setenv("SEALSQL_RANGES_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	tables := ""
	ranges := map[string][]string{
		"int4range": {"[1,4]", "empty", "(,7)"}, "int8range": {"[1,9000000000)", "(,)"}, "numrange": {"[1.50,2.25]", "(0.1,)"},
		"daterange": {"[2026-01-01,2026-01-31]", "[2026-02-01,infinity)"}, "tsrange": {`["2026-01-01 10:00:00.5",2026-01-02)`}, "tstzrange": {`["2026-01-01 10:00:00+01",2026-01-02 00:00Z]`},
	}
	for name := range ranges {
		exec(t, s.bare, "CREATE TABLE by_"+name+" (k "+name+" PRIMARY KEY, ssn bytea)")
		tables += fmt.Sprintf("  by_%s: {row_key: [k], columns: {ssn: {keyring: dev, type: string}}}\n", name)
	}
	p, err := policy.Parse("test", []byte("version: 1\nkeyrings: {dev: {raw_aes: {key_env: SEALSQL_RANGES_KEY}}}\ntables:\n"+tables))
	if err != nil {
		t.Fatal(err)
	}
	pool := s.newPool(t, "", driver.WithPolicy(p))
	ran := 0
	for name, keys := range ranges {
		for _, k := range keys {
			want := fmt.Sprintf("900-%s-%d", name, ran)
			exec(t, pool, "INSERT INTO by_"+name+" (k, ssn) VALUES ($1, $2)", k, want+" first")
			exec(t, pool, "UPDATE by_"+name+" SET ssn = $2 WHERE k = $1 AND ssn IS NOT NULL", k, want)
			exec(t, pool, "UPDATE by_"+name+" SET ssn = $1 WHERE isempty(k) = isempty($2::"+name+") AND ssn IS NOT NULL AND k::text = ($2::"+name+")::text", want, k)
			var ssn string
			if err := pool.QueryRow(ctx, "SELECT ssn FROM by_"+name+" WHERE k = $1", k).Scan(&ssn); err != nil || ssn != want {
				t.Errorf("%s %s: %q, %v", name, k, ssn, err)
			}
			ran++
		}
	}
	if ran != 11 {
		t.Errorf("%d ranges ran, want 11", ran)
	}
}
