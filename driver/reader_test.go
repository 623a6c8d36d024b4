package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

// answering is a base driver that answers every query with what it returns, and
// does nothing else.
type answering func() sqldriver.Rows

func (a answering) Connect(context.Context) (sqldriver.Conn, error) { return answeringConn{a}, nil }
func (a answering) Driver() sqldriver.Driver                        { return a }
func (a answering) Open(string) (sqldriver.Conn, error)             { return answeringConn{a}, nil }

type answeringConn struct{ answering }

func (answeringConn) Prepare(string) (sqldriver.Stmt, error) { return nil, io.ErrUnexpectedEOF }
func (answeringConn) Close() error                           { return nil }
func (answeringConn) Begin() (sqldriver.Tx, error)           { return nil, io.ErrUnexpectedEOF }

func (c answeringConn) QueryContext(context.Context, string, []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return c.answering(), nil
}

// frugalRows lie in one buffer, which the next row overwrites.
type frugalRows struct {
	rows [][]any
	buf  []byte
}

func (r *frugalRows) Columns() []string { return []string{"account_number", "ssn"} }
func (r *frugalRows) Close() error      { return nil }

func (r *frugalRows) Next(dest []sqldriver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	for i := range r.buf {
		r.buf[i] = 0xee
	}
	buf := r.buf[:0]
	for i, v := range r.rows[0] {
		dest[i] = v
		if b, ok := v.([]byte); ok {
			at := len(buf)
			buf = append(buf, b...)
			dest[i] = buf[at:len(buf):len(buf)]
		}
	}
	r.buf, r.rows = buf, r.rows[1:]
	return nil
}

// TestRowsThatRepeat: rows that show the same value, near and far, each get
// their own, whatever the base driver does with its buffer.
func TestRowsThatRepeat(t *testing.T) {
	var served [][]any
	base := answering(func() sqldriver.Rows { return &frugalRows{rows: served} })
	p, err := policy.Parse("test", []byte(`
version: 1
keyrings:
  local: {raw_aes: {namespace: test, name: key, key_env: NOT_USED}}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: local, type: bytes}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, driver.WithPolicy(p), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", rawKey(t)),
		driver.WithSchema(driver.Schema{"accounts": {{Name: "account_number", Type: "text", Unique: true}, {Name: "ssn", Type: "bytea"}}}))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	sealer, err := driver.Sealer(db)
	if err != nil {
		t.Fatal(err)
	}
	const accounts = 50
	messages := make([]any, accounts)
	for i := range messages {
		if messages[i], err = sealer.Seal(t.Context(), "accounts", "ssn", driver.Row{"account_number": fmt.Sprint(i)}, fmt.Appendf(nil, "secret of %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var want []int
		served = nil
		for range 3000 {
			i := random.IntN(accounts)
			if n := len(want); n > 0 && random.IntN(3) == 0 {
				i = want[n-1]
			}
			want = append(want, i)
			row := []any{any(fmt.Append(nil, i)), messages[i]}
			if i%10 == 7 {
				row[1] = nil
			}
			served = append(served, row)
		}
		rows, err := db.Query("SELECT account_number, ssn FROM accounts")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var account string
			var ssn sql.RawBytes
			if err := rows.Scan(&account, &ssn); err != nil {
				t.Fatal(err)
			}
			expected := fmt.Sprintf("secret of %d", want[n])
			if want[n]%10 == 7 {
				expected = ""
			}
			if account != fmt.Sprint(want[n]) || string(ssn) != expected {
				t.Fatalf("row %d: account %s holds %q, want %q", n, account, ssn, expected)
			}
			clear(ssn) // what one row was handed is its own
		}
		if err := rows.Err(); err != nil || n != len(want) {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	// A value in a row it was not written for is found among those that repeat.
	served = nil
	for i := range 300 {
		account := 1
		if i == 200 {
			account = 2
		}
		served = append(served, []any{fmt.Append(nil, account), messages[1]})
	}
	rows, err := db.Query("SELECT account_number, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n != 200 || !errors.Is(rows.Err(), driver.ErrMismatch) {
		t.Errorf("%d rows, then %v", n, rows.Err())
	}
}
