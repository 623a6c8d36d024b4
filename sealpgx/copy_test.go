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

func TestCopiedRowsReadAsInClear(t *testing.T) {
	for _, parameter := range []string{"", "&default_query_exec_mode=exec"} {
		s := newSite(t, parameter)
		s.watch(t, "900-12", "secret text")
		ctx := context.Background()
		var answers [2]string
		for i, q := range []querier{s.pool, s.twin} {
			rows := [][]any{{"a1", int64(1), "900-12-0001", "Ada"}, {"a2", int64(2), nil, nil}, {"a3", int64(1), "900-12-0003", "Cy"}}
			n, err := q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "tenant", "ssn", "name"}, pgx.CopyFromRows(rows))
			values := [][]any{}
			for id := range 3 {
				var row []any
				columns := []any{int64(id)}
				for _, c := range typeCases {
					row = append(row, c.args[id%2])
				}
				values = append(values, append(columns, row...))
			}
			names := []string{"id"}
			for _, c := range typeCases {
				names = append(names, c.column)
			}
			m, again := q.CopyFrom(ctx, pgx.Identifier{"public", "items"}, names, pgx.CopyFromRows(values))
			k, third := q.CopyFrom(ctx, pgx.Identifier{"other"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{1, "x"}}))
			found := answerOf(q, "SELECT number FROM accounts WHERE ssn = $1", []any{"900-12-0003"})
			answers[i] = fmt.Sprint(n, err, m, again, k, third, found, answerOf(q, "SELECT * FROM accounts ORDER BY number", nil), answerOf(q, "SELECT id, s, t, n, f, b, at, d, u, raw FROM items", nil))
		}
		if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "3 <nil> 3 <nil> 1 <nil>") {
			t.Errorf("%s\n got %s\nwant %s", parameter, answers[0], answers[1])
		}
	}
}

// failing are rows of which the second fails, with an error that quotes a value.
type failing struct{ n int }

func (f *failing) Next() bool { f.n++; return f.n < 3 }

func (f *failing) Values() ([]any, error) {
	if f.n == 2 {
		return nil, errors.New("the row of 900-12-3456 failed")
	}
	return []any{"b1", "900-12-3456"}, nil
}

func (f *failing) Err() error { return nil }

func TestACopyThatFailsCopiesNothing(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	ctx := context.Background()
	exec(t, s.pool, "INSERT INTO accounts (number) VALUES ('a1')")
	copyInto := func(table string, columns []string, source pgx.CopyFromSource) error {
		n, err := s.pool.CopyFrom(ctx, pgx.Identifier{table}, columns, source)
		if n != 0 {
			t.Errorf("%d rows were copied into %s", n, table)
		}
		return err
	}
	rows := func(values ...any) pgx.CopyFromSource {
		return pgx.CopyFromRows([][]any{{"b1", "900-12-3456"}, values})
	}
	cases := []struct {
		name    string
		table   string
		columns []string
		source  pgx.CopyFromSource
		is      error
		says    string
	}{
		{"rows that fail", "accounts", []string{"number", "ssn"}, &failing{}, nil, "the row of 900-12-3456 failed"},
		{"too few values", "accounts", []string{"number", "ssn"}, rows("b2"), nil, "expected 2 values, got 1 values"},
		{"no row key", "accounts", []string{"number", "ssn"}, rows(nil, "900-12-3456"), driver.ErrValue, ""},
		{"a value of another type", "accounts", []string{"number", "ssn"}, rows("b2", struct{ A chan int }{}), driver.ErrValue, ""},
		{"a row key that the server makes", "people", []string{"name", "ssn"}, rows("x", "900-12-3456"), driver.ErrRefused, "copy the row key too"},
		{"a column without the row key", "accounts", []string{"name", "ssn"}, rows("x", "900-12-3456"), driver.ErrValue, ""},
		{"the column of terms", "accounts", []string{"number", "ssn_eq"}, rows("x", "900-12-3456"), driver.ErrRefused, ""},
		{"a unique violation", "accounts", []string{"number", "ssn"}, rows("a1", "900-12-3456"), nil, "SQLSTATE 23505"},
	}
	for _, c := range cases {
		err := copyInto(c.table, c.columns, c.source)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var n int
	if err := s.bare.QueryRow(ctx, "SELECT count(*) FROM accounts").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}
