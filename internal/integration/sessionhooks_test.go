package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestAHookThatChangesTheSearchPathIsFollowed has pgx call a function whenever a connection
// is used again, as applications do that give each tenant a schema. A row is written to
// the table that the name means then, and never to the one that it meant before.
func TestAHookThatChangesTheSearchPathIsFollowed(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	for _, text := range []string{"CREATE SCHEMA north", "CREATE TABLE north.guests (id bigint PRIMARY KEY, ssn bytea)", "CREATE SCHEMA south", "CREATE TABLE south.guests (id bigint PRIMARY KEY, ssn bytea)"} {
		if _, err := s.bare.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	k, arn := kms()
	p, err := policy.Parse("test", fmt.Appendf(nil, "version: 1\nkeyrings: {pii: {kms: {keys: [%q]}}}\ntables: {north.guests: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}}", arn))
	if err != nil {
		t.Fatal(err)
	}
	var database, path string
	if err := s.bare.QueryRow("SELECT current_database()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	_, dsn := s.server.DSN(s.proxy.Addr(), database)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	base := stdlib.GetConnector(*config, stdlib.OptionResetSession(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET search_path = "+path)
		return err
	}))
	c, err := driver.NewConnector(base, append(emitted.options(), driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if err := errors.Join(db.Ping(), s.proxy.Watch(ssn1)); err != nil { // the next use is one again
		t.Fatal(err)
	}
	for id := range 6 {
		path = []string{"north", "south"}[id%2]
		_, err := db.Exec("INSERT INTO guests (id, ssn) VALUES ($1, $2)", id, ssn1)
		if refused := errors.Is(err, driver.ErrRefused); refused != (path == "south") || !refused && err != nil {
			t.Errorf("row %d, for %s: %v", id, path, err)
		}
	}
	var north, south int
	if err := s.bare.QueryRow("SELECT (SELECT count(*) FROM north.guests WHERE id % 2 = 0), (SELECT count(*) FROM north.guests WHERE id % 2 = 1) + (SELECT count(*) FROM south.guests)").Scan(&north, &south); err != nil {
		t.Fatal(err)
	}
	if north != 3 || south != 0 {
		t.Errorf("%d rows are where they belong, want 3; %d are elsewhere", north, south)
	}
}
