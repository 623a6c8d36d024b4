package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/driver"
)

// execModes are the modes of pgx, as parameters of a connection string.
var execModes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

// bulkWrites write a row of a table kt in the ways that take many at once.
var bulkWrites = []func(q querier, key any) error{
	func(q querier, key any) error {
		_, err := q.CopyFrom(context.Background(), pgx.Identifier{"kt"}, []string{"ssn", "id"}, pgx.CopyFromRows([][]any{{"911-11-0001", key}}))
		return err
	},
	func(q querier, key any) error {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO kt (id, ssn) VALUES ($1, $2)", key, "911-11-0001")
		return q.SendBatch(context.Background(), b).Close()
	},
	func(q querier, key any) error {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO kt (id, code, ssn) VALUES ($1, 1, '911-11-0009')", key)
		b.Queue("UPDATE kt SET ssn = $2 WHERE id = $1", key, "911-11-0008")
		b.Queue("INSERT INTO kt (ssn, id) VALUES ($2, $1) ON CONFLICT (id) DO UPDATE SET ssn = EXCLUDED.ssn", key, "911-11-0001")
		return q.SendBatch(context.Background(), b).Close()
	},
	func(q querier, key any) error {
		b := &pgx.Batch{}
		b.Queue("BEGIN")
		b.Queue("INSERT INTO kt (id, ssn) VALUES ($1, $2) RETURNING ssn", key, "911-11-0001")
		b.Queue("COMMIT")
		return q.SendBatch(context.Background(), b).Close()
	},
}

// TestBulkWritesAfterAKeyOfAnotherType: after another session changed the type of a row
// key, rows that are copied, and those of batches, are sealed for the key that is stored,
// or not written.
func TestBulkWritesAfterAKeyOfAnotherType(t *testing.T) {
	changes := []struct {
		from, to string
		keys     []any
	}{{"int", "varchar(20)", []any{"007", "0017", "0027", "0037"}}, {"varchar(20)", "int", []any{"007", "0017", "0027", "0037"}},
		{"varchar(20)", "bytea", []any{"007", "0017", "0027", "0037"}}, {"text", "date", []any{"1999-01-2", "1999-01-3", "1999-01-4", "19990105"}}}
	ran := 0
	for _, mode := range execModes {
		s := newSite(t, "")
		s.watch(t, "911-11")
		for _, c := range changes {
			t.Run(mode+"/"+c.from+" to "+c.to, func(t *testing.T) {
				ran++
				exec(t, s.bare, "CREATE TABLE kt (id "+c.from+" PRIMARY KEY, code int, ssn bytea)")
				defer exec(t, s.bare, "DROP TABLE kt")
				pool := s.newPool(t, "&default_query_exec_mode="+mode)
				defer pool.Close()
				for i, write := range bulkWrites {
					if err := write(pool, fmt.Sprint(i)); err != nil {
						t.Fatal(err)
					}
				}
				exec(t, s.bare, "DELETE FROM kt")
				exec(t, s.bare, "ALTER TABLE kt ALTER COLUMN id TYPE "+c.to+" USING id::text::"+c.to)
				want := 0
				for i, write := range bulkWrites {
					err := write(pool, c.keys[i])
					if err != nil { // a statement is described anew
						err = write(pool, c.keys[i])
					}
					switch {
					case err == nil:
						want++
					case !errors.Is(err, driver.ErrValue) && !strings.Contains(err.Error(), "SQLSTATE"): // the server reads a copy, or a date, otherwise
						t.Error(err)
					}
				}
				if min := map[bool]int{true: 0, false: 3}[c.to == "date"]; want < min {
					t.Errorf("%d of %d writes were carried out", want, len(bulkWrites))
				}
				reader := s.newPool(t, "")
				defer reader.Close()
				rows, err := reader.Query(context.Background(), "SELECT id, ssn FROM kt")
				if err != nil {
					t.Fatal(err)
				}
				got := 0
				for rows.Next() {
					values, err := rows.Values()
					if got++; err != nil || values[1] != "911-11-0001" {
						t.Errorf("%v, %v", values, err)
					}
				}
				if err := rows.Err(); err != nil || got != want {
					t.Errorf("%d rows, want %d: %v", got, want, err)
				}
			})
		}
	}
	if ran != len(execModes)*len(changes) {
		t.Errorf("ran %d cases", ran)
	}
}

// TestBatchesAfterAnotherSessionMovedAColumn: an INSERT without a list of columns, which a
// batch sent before, keeps to the columns that it had.
func TestBatchesAfterAnotherSessionMovedAColumn(t *testing.T) {
	for _, mode := range execModes {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t, "&default_query_exec_mode="+mode)
			s.watch(t, "911-11")
			exec(t, s.bare, "CREATE TABLE kt (id int PRIMARY KEY, name text, ssn bytea)")
			send := func(id int) {
				b := &pgx.Batch{}
				b.Queue("INSERT INTO kt VALUES ($1, 'n', $2)", id, "911-11-0001")
				b.Queue("INSERT INTO kt VALUES ($1, 'n', '911-11-0001')", id+1)
				b.Queue("INSERT INTO kt SELECT $1::int, 'n', $2", id+2, "911-11-0001")
				if err := s.pool.SendBatch(context.Background(), b).Close(); err != nil {
					t.Error(err)
				}
			}
			send(1)
			exec(t, s.bare, "ALTER TABLE kt DROP COLUMN name")
			exec(t, s.bare, "ALTER TABLE kt ADD COLUMN name text")
			send(4)
			rows, err := s.pool.Query(context.Background(), "SELECT id, ssn FROM kt WHERE name = 'n' OR id < 4 ORDER BY id")
			if err != nil {
				t.Fatal(err)
			}
			all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
				values, err := r.Values()
				return fmt.Sprint(values), err
			})
			want := "[1 911-11-0001] [2 911-11-0001] [3 911-11-0001] [4 911-11-0001] [5 911-11-0001] [6 911-11-0001]"
			if got := strings.Join(all, " "); err != nil || got != want {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}
