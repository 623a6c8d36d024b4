package sealpgx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealpgx"
)

// TestAConnectionOfReplicationIsWrapped speaks on a connection that takes no arguments:
// replication's commands pass, and protected values are read.
func TestAConnectionOfReplicationIsWrapped(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	config := s.config(t, s.proxy.Addr(), 0, "&replication=database&default_query_exec_mode=simple_protocol")
	base, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sealpgx.WrapConn(ctx, base, driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sealpgx.NewPool(ctx, config, driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for name, q := range map[string]querier{"a connection": conn, "a pool": pool} {
		var ssn string
		if err := q.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&ssn); err != nil || ssn != "900-12-3456" {
			t.Errorf("%s: %q, %v", name, ssn, err)
		}
		rows, err := q.Query(ctx, "IDENTIFY_SYSTEM")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if system, err := pgx.CollectOneRow(rows, pgx.RowToMap); err != nil || system["systemid"] == nil {
			t.Errorf("%s: %v, %v", name, system, err)
		}
	}
	if answers, err := conn.PgConn().Exec(ctx, "IDENTIFY_SYSTEM").ReadAll(); err != nil || len(answers) != 1 {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}
