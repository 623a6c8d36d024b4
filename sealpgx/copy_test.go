package sealpgx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// reusing are rows whose values lie in the same memory, one row after the other.
type reusing struct {
	n, rows int
	values  []any
	number  []byte
	tenant  int64
	ssn     string
	amount  *big.Int
}

func (r *reusing) Next() bool { r.n++; return r.n <= r.rows }

func (r *reusing) Values() ([]any, error) {
	r.number = append(r.number[:0], fmt.Sprintf("r%04d", r.n)...)
	r.tenant, r.ssn = int64(r.n), fmt.Sprintf("900-12-%04d", r.n)
	r.amount.SetInt64(int64(r.n))
	r.values[0], r.values[1], r.values[2] = string(r.number), &r.tenant, &r.ssn
	r.values[3] = pgtype.Numeric{Int: r.amount, Valid: true}
	return r.values, nil
}

func (r *reusing) Err() error { return nil }

// textual is a type of an application that cannot be copied, and that pgx encodes.
type textual struct{ text *[]byte }

func (t textual) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: string(*t.text), Valid: true}, nil
}

// TestACopyReadsAheadOfNoReusedValue copies rows whose source uses its memory again.
func TestACopyReadsAheadOfNoReusedValue(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-")
	ctx := context.Background()
	for _, q := range []querier{s.bare, s.twin} {
		exec(t, q, "ALTER TABLE accounts ADD COLUMN amount numeric")
	}
	const rows = 300
	for name, change := range map[string]func(*reusing){
		"pointers and bytes":             func(r *reusing) { r.values[0], r.values[3] = r.number, nil },
		"a decimal":                      func(*reusing) {},
		"a value that only pgx can read": func(r *reusing) { r.values[0] = textual{&r.number} },
	} {
		var answers [2]string
		for i, q := range []querier{s.pool, s.twin} {
			exec(t, q, "DELETE FROM accounts")
			source := &changing{reusing{rows: rows, values: make([]any, 4), amount: new(big.Int)}, change}
			n, err := q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "tenant", "ssn", "amount"}, source)
			answers[i] = fmt.Sprint(n, err, answerOf(q, "SELECT number, tenant, ssn, amount::text FROM accounts ORDER BY number", nil))
		}
		if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "300 <nil>") || !strings.Contains(answers[0], "r0299 299 900-12-0299") {
			t.Errorf("%s:\n got %s\nwant %s", name, answers[0], answers[1])
		}
	}
}

type changing struct {
	reusing
	change func(*reusing)
}

func (c *changing) Values() ([]any, error) {
	values, err := c.reusing.Values()
	c.change(&c.reusing)
	return values, err
}

// TestACopySaysWhichRowFailed copies rows of which one cannot be sealed, and a later one
// fails at its source.
func TestACopySaysWhichRowFailed(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	cases := 0
	for _, unfit := range []int{0, 1, 63, 64, 130} {
		for _, failing := range []int{unfit + 1, unfit + 40, 1000} {
			cases++
			at := errors.New("the source failed")
			source := pgx.CopyFromFunc(func() func() ([]any, error) {
				n := -1
				return func() ([]any, error) {
					n++
					switch {
					case n == failing:
						return nil, at
					case n == unfit:
						return []any{fmt.Sprint("r", n), struct{ C chan int }{}}, nil
					case n > 500:
						return nil, nil
					}
					return []any{fmt.Sprint("r", n), "900-12-3456"}, nil
				}
			}())
			n, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, source)
			if n != 0 || !errors.Is(err, driver.ErrValue) || errors.Is(err, at) {
				t.Errorf("row %d cannot be sealed, and row %d fails: %d, %v", unfit, failing, n, err)
			}
		}
	}
	if cases != 15 {
		t.Errorf("%d cases", cases)
	}
}

// TestACopyThatIsCancelledEnds cancels the context in the middle of a copy.
func TestACopyThatIsCancelledEnds(t *testing.T) {
	s := newSite(t, "")
	for _, after := range []int{0, 1, 63, 64, 65, 1000} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		source := pgx.CopyFromFunc(func() ([]any, error) {
			if n == after {
				cancel()
			}
			n++
			return []any{fmt.Sprint("r", n), "900-12-3456"}, nil // without an end
		})
		if _, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, source); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d rows: %v", after, err)
		}
		cancel()
	}
	var rows int
	if err := s.bare.QueryRow(context.Background(), "SELECT count(*) FROM accounts").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	stacks := make([]byte, 1<<20)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-look.C {
		taken := s.pool.Stat().AcquiredConns()
		seal := bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("parallel.(*Line"))
		if !seal && taken == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines that seal are left: %v; %d connections were not given back", seal, taken)
		}
	}
}

// TestACopyWritesDefaultsSealed: a column that a copy leaves out, and that has a constant
// default, gets it sealed, as with INSERT.
func TestACopyWritesDefaultsSealed(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	exec(t, s.bare, "ALTER TABLE accounts ALTER COLUMN ssn SET DEFAULT ''")
	for i, columns := range [][]string{{"number"}, {"number", "name"}} {
		rows := [][]any{{fmt.Sprint("a", i), "Ada"}, {fmt.Sprint("b", i), "Bob"}}
		for j := range rows {
			rows[j] = rows[j][:len(columns)]
		}
		if n, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, columns, pgx.CopyFromRows(rows)); err != nil || n != 2 {
			t.Errorf("a copy of %v: %d rows, %v", columns, n, err)
		}
	}
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO accounts (number) VALUES ('c0'), ('c1')")
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		t.Errorf("a batch: %v", err)
	}
	var rows, clear, found int
	if err := s.bare.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE octet_length(ssn) < 40 OR ssn_eq IS NULL) FROM accounts").Scan(&rows, &clear); err != nil || rows != 6 || clear != 0 {
		t.Errorf("%d rows of which %d hold the default in clear, or lack its term (%v)", rows, clear, err)
	}
	if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM accounts WHERE ssn = ''").Scan(&found); err != nil || found != 6 {
		t.Errorf("%d rows have the default, %v", found, err)
	}
}
