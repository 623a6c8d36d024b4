package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
)

// batchOf queues what a batch is made of, and notes what its functions are told.
func batchOf(told *[]string) *pgx.Batch {
	b := &pgx.Batch{}
	note := func(format string, args ...any) { *told = append(*told, fmt.Sprintf(format, args...)) }
	b.Queue("INSERT INTO accounts (number, ssn) VALUES ($1, $2)", "b1", "911-11-1111").Exec(func(tag pgconn.CommandTag) error { note("%v", tag); return nil })
	b.Queue("INSERT INTO accounts (number, ssn) VALUES (@n, @s)", pgx.NamedArgs{"n": "b2", "s": "911-11-1112"})
	b.Queue("-- name: Read :one\nSELECT ssn FROM accounts WHERE number = $1", "b1").QueryRow(func(r pgx.Row) error {
		var ssn string
		err := r.Scan(&ssn)
		note("%s", ssn)
		return err
	})
	b.Queue("SELECT number, ssn FROM accounts ORDER BY number").Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, pgx.RowToMap)
		note("%v", all)
		return err
	})
	b.Queue("SELECT number FROM accounts WHERE ssn = $1", "911-11-1112").Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		note("%v", all)
		return err
	})
	b.Queue("SELECT name FROM other WHERE id = $1", 1).QueryRow(func(r pgx.Row) error {
		var name string
		err := r.Scan(&name)
		note("%s", name)
		return err
	})
	b.Queue("UPDATE accounts SET ssn = $1 WHERE number = $2 RETURNING ssn", "911-11-1113", "b2")
	return b
}

func TestABatchAnswersAsInClear(t *testing.T) {
	for _, parameter := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=cache_describe", "&default_query_exec_mode=describe_exec"} {
		s := newSite(t, parameter)
		s.watch(t, "911-11", "900-12")
		var answers [2]string
		for i, q := range []querier{s.pool, s.twin} {
			exec(t, q, seedText)
			ctx := context.Background()
			var told []string
			closed := q.SendBatch(ctx, batchOf(&told)).Close()
			read := func(results pgx.BatchResults) {
				tag, err := results.Exec()
				told = append(told, fmt.Sprint(tag, err))
				rows, err := results.Query()
				told = append(told, fmt.Sprint(err))
				all, err := pgx.CollectRows(rows, pgx.RowToMap)
				told = append(told, fmt.Sprint(all, err))
				var ssn string
				told = append(told, fmt.Sprint(results.QueryRow().Scan(&ssn), ssn))
				_, err = results.Exec()
				told = append(told, fmt.Sprint(err != nil, results.Close()))
			}
			b := &pgx.Batch{}
			b.Queue("UPDATE accounts SET ssn = $1 WHERE number = $2", "911-11-1114", "a1")
			b.Queue("SELECT number, ssn FROM accounts ORDER BY number")
			b.Queue("SELECT ssn FROM accounts WHERE number = 'a1'")
			read(q.SendBatch(ctx, b))
			answers[i] = fmt.Sprint(closed, told, answerOf(q, "SELECT * FROM accounts ORDER BY number", nil))
		}
		if answers[0] != answers[1] {
			t.Errorf("%s\n got %s\nwant %s", parameter, answers[0], answers[1])
		}
		if n := s.pool.Stat().AcquiredConns(); n != 0 {
			t.Errorf("%d connections were not given back", n)
		}
	}
}

func TestABatchBeginsATransaction(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue("INSERT INTO accounts (number, ssn) VALUES ('b1', $1)", "900-12-3456")
	results := s.pool.SendBatch(ctx, b)
	tx := results.Tx()
	if err := results.Close(); err != nil {
		t.Fatal(err)
	}
	var ssn string
	if err := tx.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'b1'").Scan(&ssn); err != nil || ssn != "900-12-3456" {
		t.Errorf("%q, %v", ssn, err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.pool.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'b1'").Scan(&ssn); !errors.Is(err, pgx.ErrNoRows) {
		t.Error(err)
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestARefusedBatchIsNotSent queues a harmless statement before each that is refused.
func TestARefusedBatchIsNotSent(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	cases := map[string][]string{
		"a server-made key":                      {"INSERT INTO people (name, ssn) VALUES ('x', '900-12-3456')"},
		"an update row by row":                   {"UPDATE accounts SET ssn = '900-12-3456' WHERE tenant = 1"},
		"an expression":                          {"UPDATE accounts SET ssn = ssn || 'x'"},
		"the session is changed before":          {"SET search_path = pg_catalog, public", "SELECT ssn FROM accounts"},
		"a view is made before":                  {"CREATE VIEW v AS SELECT * FROM accounts", "INSERT INTO v (number, ssn) VALUES ('b1', '900-12-3456')"},
		"a view is made before, in one text":     {"SELECT 1; CREATE VIEW v AS SELECT * FROM accounts", "INSERT INTO v (number, ssn) VALUES ('b1', '900-12-3456')"},
		"a view is made before, behind comments": {"/* a /* b */ */ -- c\nCREATE VIEW v AS SELECT * FROM accounts", "INSERT INTO v (number, ssn) VALUES ('b1', '900-12-3456')"},
		"a partition is made before":             {"CREATE TABLE p () INHERITS (accounts)", "INSERT INTO p (number, ssn) VALUES ('b1', '900-12-3456')"},
	}
	for name, texts := range cases {
		b := &pgx.Batch{}
		b.Queue("DELETE FROM other")
		for _, text := range texts {
			b.Queue(text)
		}
		if err := s.pool.SendBatch(ctx, b).Close(); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var n int
	if err := s.bare.QueryRow(ctx, "SELECT count(*) FROM other").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows are left, %v", n, err)
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestABatchOfAMovedValue reads a value that was moved to another row.
func TestABatchOfAMovedValue(t *testing.T) {
	s := seeded(t)
	exec(t, s.bare, "UPDATE accounts SET ssn = (SELECT ssn FROM accounts WHERE number = 'a1') WHERE number = 'a2'")
	b := &pgx.Batch{}
	var ssn string
	b.Queue("SELECT ssn FROM accounts WHERE number = 'a2'").QueryRow(func(r pgx.Row) error { return r.Scan(&ssn) })
	if err := s.pool.SendBatch(context.Background(), b).Close(); !errors.Is(err, driver.ErrMismatch) || ssn != "" {
		t.Errorf("%q, %v", ssn, err)
	}
}

// TestAStatementIsSentByItselfAfterABatch sends what a batch held on the same connection,
// planned anew: pgx prepared it under its own name.
func TestAStatementIsSentByItselfAfterABatch(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	const text = "SELECT number, ssn FROM accounts WHERE number = $1"
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for range 2 {
			b := &pgx.Batch{}
			b.Queue(text, "a1")
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return err
			}
			exec(t, s.pool, "ALTER TABLE people ALTER COLUMN name DROP NOT NULL") // plans are made anew
			var number, ssn string
			if err := tx.QueryRow(ctx, text, "a1").Scan(&number, &ssn); err != nil || ssn != "900-12-3456" {
				return fmt.Errorf("%q, %w", ssn, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
