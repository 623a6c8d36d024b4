package sealpgx_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
)

// TestWhatAHookPreparesIsSealed prepares statements on bare connections, and sends them by
// their names: pgx would send their arguments in clear.
func TestWhatAHookPreparesIsSealed(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	ctx := context.Background()
	config := s.config(t, s.proxy.Addr(), 0, "")
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Prepare(ctx, "insert one", "INSERT INTO accounts (number, ssn) VALUES ($1, $2)")
		_, again := c.Prepare(ctx, "get account", "SELECT ssn FROM accounts WHERE number = $1")
		_, third := c.Prepare(ctx, "one", "SELECT 1")
		if _, taken := c.Prepare(ctx, "insert one", "SELECT $1::text, $2::text"); taken == nil {
			third = errors.New("two statements have one name")
		}
		return errors.Join(err, again, third)
	}
	before, rest, _ := strings.Cut(policyText, "  items:")
	_, after, _ := strings.Cut(rest, "  people:")
	p, err := policy.Parse("long names", []byte(before+"  people:"+after)) // in which no name of a statement occurs
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sealpgx.NewPool(ctx, config, driver.WithPolicy(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	exec(t, pool, "insert one", "p1", "900-12-3456")
	exec(t, pool, "insert one", "p2", "900-12-3456") // the plan is kept by now
	var ssn string
	if err := pool.QueryRow(ctx, "get account", "p1").Scan(&ssn); err != nil || ssn != "900-12-3456" {
		t.Errorf("%q, %v", ssn, err)
	}
	var one int
	if err := pool.QueryRow(ctx, "one").Scan(&one); err != nil || one != 1 {
		t.Errorf("%d, %v", one, err)
	}
	var stored []byte
	if err := s.bare.QueryRow(ctx, "SELECT ssn FROM accounts ORDER BY length(ssn) LIMIT 1").Scan(&stored); err != nil || len(stored) < 100 {
		t.Errorf("%d bytes are stored, %v", len(stored), err)
	}
}

// TestAWrappedConnectionSealsOlderStatements sends statements by their names that were
// prepared past the wrapper, before the connection was wrapped and after: pgx would send
// their arguments in clear.
func TestAWrappedConnectionSealsOlderStatements(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	ctx := context.Background()
	base, err := pgx.ConnectConfig(ctx, s.config(t, s.proxy.Addr(), 0, "").ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	const text = "INSERT INTO accounts (number, ssn) VALUES ($1, $2)"
	keep := func(name, text string) {
		if _, err := base.Prepare(ctx, name, text); err != nil {
			t.Fatal(err)
		}
	}
	keep("put", text)
	keep("select account", text) // the name is a text, too
	keep(text, text)
	c, err := sealpgx.WrapConn(ctx, base, driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	keep("later", text)
	if _, err := c.Prepare(ctx, "again", "SELECT $1::text, $2::text"); err != nil {
		t.Fatal(err)
	}
	if err := base.Deallocate(ctx, "again"); err != nil {
		t.Fatal(err)
	}
	keep("again", text)
	keep("read", "SELECT ssn FROM accounts WHERE number = 'select account'")
	for _, name := range []string{"put", "select account", text, "later", "again"} {
		exec(t, c, name, name[:min(len(name), 20)], "900-12-3456")
		b := &pgx.Batch{}
		b.Queue(name, "b"+name[:min(len(name), 19)], "900-12-3456")
		if err := c.SendBatch(ctx, b).Close(); err != nil {
			t.Error(name, err)
		}
	}
	if _, err := c.Prepare(ctx, "put", "SELECT ssn FROM accounts WHERE number = $1"); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]any{"put": {"put"}, "read": nil} {
		var ssn string
		if err := c.QueryRow(ctx, name, args...).Scan(&ssn); err != nil || ssn != "900-12-3456" {
			t.Errorf("%s: %q, %v", name, ssn, err)
		}
	}
	var clear int
	if err := s.bare.QueryRow(ctx, "SELECT count(*) FROM accounts WHERE length(ssn) < 50").Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d values lie in clear, %v", clear, err)
	}
	if err := c.Close(ctx); err != nil || !base.IsClosed() {
		t.Error(err)
	}
}

// TestADescriptionShowsThePolicysTypes prepares a statement whose parameters and columns
// are protected.
func TestADescriptionShowsThePolicysTypes(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	err := s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
		const text = "INSERT INTO items (id, n, s, at) VALUES ($1, $2, $3, $4) RETURNING at, n"
		sd, err := c.Prepare(ctx, "put", text)
		if err != nil {
			return err
		}
		if want := []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.TimestamptzOID}; !slices.Equal(sd.ParamOIDs, want) || sd.Name != "put" || sd.SQL != text {
			t.Errorf("parameters %v of %q, %q", sd.ParamOIDs, sd.Name, sd.SQL)
		}
		var types []uint32
		for _, f := range sd.Fields {
			types = append(types, f.DataTypeOID)
		}
		if want := []uint32{pgtype.TimestamptzOID, pgtype.Int8OID}; !slices.Equal(types, want) {
			t.Errorf("columns %v", types)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAPoolsConnectionReachesPgx takes the connection beneath, which is bare.
func TestAPoolsConnectionReachesPgx(t *testing.T) {
	s := seeded(t)
	err := s.pool.AcquireFunc(context.Background(), func(c *sealpgx.PoolConn) error {
		var stored []byte
		err := c.Conn().QueryRow(context.Background(), "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&stored)
		if len(stored) < 100 {
			t.Errorf("%d bytes", len(stored))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if config := s.pool.Config(); config.ConnConfig.Tracer != nil || config.BeforeClose != nil {
		t.Error("the configuration is not the user's")
	}
}

// TestADatabaseSealsWhatAHookPrepared sends a statement by the name under which a hook of
// the driver for database/sql prepared it: pgx would send its arguments in clear.
func TestADatabaseSealsWhatAHookPrepared(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	hook := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Prepare(ctx, "put", insertAccount)
		_, again := c.Prepare(ctx, "all of them", "SELECT ssn FROM accounts")
		return errors.Join(err, again)
	})
	connector, err := driver.NewConnector(stdlib.GetConnector(*s.config(t, s.proxy.Addr(), 0, "").ConnConfig, hook), driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec("put", "p1", "900-12-3456"); err != nil {
		t.Error(err)
	}
	if _, err := db.Exec("anything", rewriter{"put", []any{"p2", "900-12-3456"}}); err != nil {
		t.Error(err)
	}
	rows, err := db.Query("all of them")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var ssn string
		if err := rows.Scan(&ssn); err != nil || ssn != "900-12-3456" {
			t.Errorf("%q, %v", ssn, err)
		}
	}
	if rows.Err() != nil || n != 2 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
}
