package sealpgx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealpgx"
)

const (
	returning = "UPDATE accounts SET ssn = $1 WHERE number = 'a1' RETURNING *"
	newColumn = "ALTER TABLE accounts ADD COLUMN extra text"
	newIndex  = "CREATE INDEX people_ssn ON people (ssn)"
)

// TestPlansAreMadeAnewAfterDDL plans a statement that returns all columns, sends DDL in
// each way, and sends the statement again on the same pool: by the old plan its result
// would be withheld.
func TestPlansAreMadeAnewAfterDDL(t *testing.T) {
	ctx := context.Background()
	inTx := func(s *site, f func(pgx.Tx) error) error { return pgx.BeginFunc(ctx, s.pool, f) }
	cases := map[string]func(s *site) error{
		"Exec of the pool": func(s *site) error { _, err := s.pool.Exec(ctx, newColumn); return err },
		"Query of the pool": func(s *site) error {
			rows, err := s.pool.Query(ctx, newColumn)
			rows.Close()
			return errors.Join(err, rows.Err())
		},
		"a connection": func(s *site) error {
			return s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error { _, err := c.Exec(ctx, newColumn); return err })
		},
		"a prepared statement": func(s *site) error {
			return s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
				_, err := c.Prepare(ctx, "grow", newColumn)
				if err == nil {
					_, err = c.Exec(ctx, "grow")
				}
				return err
			})
		},
		"a batch": func(s *site) error {
			b := &pgx.Batch{}
			b.Queue("SELECT 1")
			b.Queue(newColumn)
			return s.pool.SendBatch(ctx, b).Close()
		},
		"a transaction": func(s *site) error {
			return inTx(s, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, newColumn)
				_, _ = s.pool.Exec(ctx, returning, "900-12-3456") // is planned, and fails at the table's lock
				return err
			})
		},
		"a batch in a transaction": func(s *site) error {
			return inTx(s, func(tx pgx.Tx) error {
				b := &pgx.Batch{}
				b.Queue(newColumn)
				return tx.SendBatch(ctx, b).Close()
			})
		},
		"a transaction that a text ends behind a comment": func(s *site) error {
			return s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
				for _, text := range []string{"BEGIN", newColumn, "/* done */ COMMIT"} {
					if _, err := c.Exec(ctx, text); err != nil {
						return err
					}
				}
				return nil
			})
		},
		"a savepoint that is given up after another": func(s *site) error {
			return inTx(s, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, newColumn)
				given := errors.New("given up")
				saved := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "ALTER TABLE accounts ADD COLUMN gone text")
					return errors.Join(err, failedUnless(tx.Exec(ctx, returning, "900-12-3456")), given)
				})
				if !errors.Is(saved, given) {
					return saved
				}
				return errors.Join(err, failedUnless(tx.Exec(ctx, returning, "900-12-3457")))
			})
		},
		"ROLLBACK TO in a transaction with DDL before it": func(s *site) error {
			return inTx(s, func(tx pgx.Tx) error {
				for _, text := range []string{newColumn, "SAVEPOINT a", "SELECT 1", "ROLLBACK TO SAVEPOINT a"} {
					if _, err := tx.Exec(ctx, text); err != nil {
						return err
					}
				}
				return failedUnless(tx.Exec(ctx, returning, "900-12-3457"))
			})
		},
	}
	s := newSite(t, "&lock_timeout=50ms&default_query_exec_mode=exec") // without statements that pgx keeps
	ran := 0
	for name, send := range cases {
		exec(t, s.bare, "DELETE FROM accounts; ALTER TABLE accounts DROP COLUMN IF EXISTS extra")
		exec(t, s.pool, "ALTER TABLE people ALTER COLUMN name DROP NOT NULL") // the pool has seen no extra
		exec(t, s.pool, "INSERT INTO accounts (number, ssn) VALUES ('a1', '900-12-3456')")
		exec(t, s.pool, returning, "900-12-3456")
		if err := send(s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows, err := s.pool.Query(ctx, returning, "900-12-3457")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
		if _, extra := row["extra"]; err != nil || row["ssn"] != "900-12-3457" || !extra {
			t.Errorf("%s: %v, %v", name, row, err)
		}
		ran++
	}
	if ran != len(cases) {
		t.Errorf("%d cases ran, want %d", ran, len(cases))
	}
}

func failedUnless(_ commandTag, err error) error { return err }

// TestAMigrationInATransaction makes a protected table and fills it before any other
// connection can see it.
func TestAMigrationInATransaction(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456", "900-12-3457")
	ctx := context.Background()
	exec(t, s.bare, "DROP TABLE accounts")
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, text := range []string{
			"CREATE TABLE accounts (number varchar(20) PRIMARY KEY, tenant bigint NOT NULL DEFAULT 1, name text, ssn text)",
			"CREATE UNIQUE INDEX accounts_ssn ON accounts (ssn)",
			"INSERT INTO accounts (number, ssn) VALUES ('a1', '900-12-3456')",
			"UPDATE accounts SET name = 'Ada' WHERE ssn = '900-12-3456'",
		} {
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"a2", "900-12-3457"}}))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var name, ssn string
	if err := s.pool.QueryRow(ctx, "SELECT name, ssn FROM accounts WHERE ssn = $1", "900-12-3456").Scan(&name, &ssn); err != nil || name != "Ada" || ssn != "900-12-3456" {
		t.Errorf("%q, %q, %v", name, ssn, err)
	}
}

// TestPartsOfDDLThatAreLeftOutRaiseEvents sends, in each way, an index that would
// sort ciphertexts, which is not sent.
func TestPartsOfDDLThatAreLeftOutRaiseEvents(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, "")
	ways := map[string]func() error{
		"Exec": func() error { _, err := s.pool.Exec(ctx, newIndex); return err },
		"Query": func() error {
			rows, err := s.pool.Query(ctx, newIndex)
			rows.Close()
			return errors.Join(err, rows.Err())
		},
		"a batch": func() error {
			b := &pgx.Batch{}
			b.Queue(newIndex)
			return s.pool.SendBatch(ctx, b).Close()
		},
		"a transaction": func() error {
			return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, newIndex); return err })
		},
		"a prepared statement": func() error {
			return s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
				_, err := c.Prepare(ctx, "change", newIndex)
				return errors.Join(err, failedUnless(c.Exec(ctx, "change")))
			})
		},
	}
	for name, send := range ways {
		before := leftOut(s.pool.Connector())
		if err := send(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := leftOut(s.pool.Connector()) - before; n != 1 {
			t.Errorf("%s raised %d events", name, n)
		}
	}
	if _, err := s.pool.Exec(ctx, newIndex+"; SELECT 1 / 0"); err == nil {
		t.Error("a division by zero passed")
	}
	if n := leftOut(s.pool.Connector()); n != uint64(len(ways)) {
		t.Errorf("DDL that failed raised an event: %d in all", n)
	}
}

func leftOut(c *driver.Connector) uint64 { return c.Stats().Events[alert.LeftOut] }
