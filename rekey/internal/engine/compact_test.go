package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

const formatPolicy = `
keyrings:
  pii:
    kms: {keys: ["${MRK}"]}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: shop}
    format: %s
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
      nick: {keyring: pii, type: string, storage: base64}
`

// formats is a site with a table of n messages, and a policy for each format.
func formats(s *site, n int) (message, compact *policy.Policy) {
	s.t.Helper()
	message, compact = s.policy(fmt.Sprintf(formatPolicy, "message")), s.policy(fmt.Sprintf(formatPolicy, "compact"))
	spelling := mysql.BranchKeySQL()
	if s.postgres() {
		spelling = postgres.BranchKeySQL()
	}
	s.exec(spelling.DDL)
	s.exec("CREATE TABLE people (id BIGINT PRIMARY KEY, ssn bytea, nick TEXT)")
	v := s.sealer(message)
	keys, err := v.BranchKeys("pii")
	if err == nil {
		_, err = keys.Create(s.t.Context(), "shop", nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		row := driver.Row{"id": int64(i)}
		s.exec("INSERT INTO people (id, ssn, nick) VALUES (?, ?, ?)", i, s.seal(v, "people", "ssn", row, fmt.Sprintf("900-00-%04d", i)), s.seal(v, "people", "nick", row, "nick"))
	}
	return message, compact
}

func (s *site) forms(p *policy.Policy) map[string]Tally {
	s.t.Helper()
	survey, err := Take(s.t.Context(), s.config(Verify, p))
	if err != nil {
		s.t.Fatal(err)
	}
	return survey.Forms
}

// TestReencryptBetweenFormats both ways, by the policy and by ToFormat, beside an
// application that goes on reading.
func TestReencryptBetweenFormats(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const n = 60
		message, compact := formats(s, n)
		db := s.sealed(message)
		ctx, stop := context.WithCancel(t.Context())
		var application sync.WaitGroup
		application.Go(func() {
			for i := 0; ctx.Err() == nil; i = (i + 1) % n {
				var ssn string
				err := db.QueryRowContext(ctx, s.q("SELECT ssn FROM people WHERE id = ?"), i).Scan(&ssn)
				if ctx.Err() == nil && (err != nil || ssn != fmt.Sprintf("900-00-%04d", i)) {
					t.Errorf("row %d: %q, %v", i, ssn, err)
				}
			}
		})
		to := func(f policy.Format) Config {
			c := s.config(Reencrypt, message)
			c.ToFormat = f
			return c
		}
		for _, step := range []struct {
			name   string
			config Config
			form   string
		}{
			{"as the policy says", s.config(Reencrypt, compact), "compact"},
			{"back, as the policy says", s.config(Reencrypt, message), "message"},
			{"whatever the policy says", to(policy.FormatCompact), "compact"},
			{"and back", to(policy.FormatMessage), "message"},
		} {
			s.want(s.run(step.config), n, n, 0, 0, 0)
			s.want(s.run(step.config), n, 0, n, 0, 0)
			if f := s.forms(message); f[step.form].Values != n {
				t.Errorf("%s: %v", step.name, f)
			}
		}
		stop()
		application.Wait()
	})
}

func TestReencryptToAFormatThatTheKeyringDoesNotMake(t *testing.T) {
	s := &site{t: t, keys: map[string]string{}}
	p := s.policy("keyrings: {pii: {raw_aes: {key_env: K}}}\ntables: {people: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}}\n")
	for _, f := range []policy.Format{policy.FormatCompact, "tink"} {
		c := Config{DB: s.db, Policy: p, Mode: Reencrypt, Table: "people", Column: "ssn", ToFormat: f}
		if err := c.chooseFormat(); !errors.Is(err, ErrConfig) || !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// TestARotationMakesCompactValuesStale: reencrypt moves them to the version in force.
func TestARotationMakesCompactValuesStale(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, compact := formats(s, 5)
		s.want(s.run(s.config(Reencrypt, compact)), 5, 5, 0, 0, 0)
		keys, err := s.sealer(compact).BranchKeys("pii")
		if err == nil {
			_, err = keys.Rotate(t.Context(), "shop")
		}
		if err != nil {
			t.Fatal(err)
		}
		s.want(s.run(s.config(Reencrypt, compact)), 5, 5, 0, 0, 0)
		s.want(s.run(s.config(Reencrypt, compact)), 5, 0, 5, 0, 0)
		s.want(s.run(s.config(Verify, compact)), 5, 0, 5, 0, 0)
	})
}

// TestFindOrigin: verify says which row and column a moved value comes from, and
// nothing of a value that was changed.
func TestFindOrigin(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, compact := formats(s, 20)
		for _, column := range []string{"ssn", "nick"} {
			c := s.config(Reencrypt, compact)
			c.Column = column
			s.want(s.run(c), 20, 20, 0, 0, 0)
		}
		v := s.sealer(compact)
		s.exec("UPDATE people SET ssn = (SELECT v FROM (SELECT ssn AS v FROM people WHERE id = 7) x) WHERE id = 3")
		s.exec("UPDATE people SET ssn = ? WHERE id = 4", s.seal(v, "people", "ssn", driver.Row{"id": 4}, "900-00-0004").([]byte)[:60])
		c := s.config(Verify, compact)
		c.FindOrigin, c.PageRows = true, 6
		r := s.run(c)
		s.want(r, 20, 0, 18, 0, 2)
		for _, f := range r.Failures {
			if f.Reason != reasonUnauthentic {
				t.Errorf("%+v", f)
			}
		}
		digest := func(id int64) string { return v.RowDigest(t.Context(), "people", driver.Row{"id": id}) }
		want := Origin{Row: digest(3), Key: []string{"3"}, FromColumn: "ssn", FromRow: digest(7), FromKey: []string{"7"}}
		got, _ := json.Marshal(r.Origins)
		if len(r.Origins) != 1 || r.Origins[0].Row != want.Row || r.Origins[0].FromRow != want.FromRow || r.Origins[0].FromColumn != "ssn" || !slices.Equal(r.Origins[0].FromKey, want.FromKey) {
			t.Errorf("origins %s, want %+v", got, want)
		}
	})
}
