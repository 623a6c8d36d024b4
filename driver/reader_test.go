package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
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

// readerPolicies have one column each, whose values the reader opens in the background
// and in its own goroutine.
var readerPolicies = map[string]string{
	"message": `
version: 1
keyrings:
  local: {raw_aes: {namespace: test, name: key, key_env: NOT_USED}}
tables:
  accounts: {row_key: [account_number], columns: {ssn: {keyring: local, type: bytes}}}
`,
	"compact": `
version: 1
keyrings:
  local:
    kms: {keys: ["%s"]}
    format: compact
    data_key: {per: branch, store: "file:%s", ttl: 15m, branch_key: shop}
tables:
  accounts: {row_key: [account_number], columns: {ssn: {keyring: local, type: bytes}}}
`,
	"compact, a branch key for each row": `
version: 1
keyrings:
  local:
    kms: {keys: ["%s"]}
    format: compact
    data_key: {per: branch, store: "file:%s", ttl: 15m, branch_key: {from: account_number}}
tables:
  accounts: {row_key: [account_number], columns: {ssn: {keyring: local, type: bytes}}}
`,
}

// open opens a database over base through sealsql, with one of readerPolicies. Each
// connector has caches of its own.
func (w *readerWorld) open(t *testing.T, base sqldriver.Connector) *sql.DB {
	t.Helper()
	text, opts := readerPolicies[w.policy], []driver.Option{driver.WithKeyring("local", rawKey(t))}
	if w.policy != "message" {
		text, opts = fmt.Sprintf(text, w.arn, w.store), []driver.Option{driver.WithAWSConfig(w.kms.AWSConfig("us-east-1"))}
	}
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(opts, driver.WithPolicy(p), driver.WithDialect(postgres.Dialect),
		driver.WithSchema(driver.Schema{"accounts": {{Name: "account_number", Type: "text", Unique: true}, {Name: "ssn", Type: "bytea"}}}))...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// readerWorld is a KMS and the file that branch keys lie in.
type readerWorld struct {
	policy, arn, store string
	kms                *sealtest.KMS
}

func newReaderWorld(t *testing.T, policy string) *readerWorld {
	t.Helper()
	w := &readerWorld{policy: policy, store: filepath.Join(t.TempDir(), "keys.json"), kms: sealtest.NewKMS()}
	t.Cleanup(w.kms.Close)
	w.arn = w.kms.CreateKey("us-east-1")
	return w
}

// create makes branch keys.
func (w *readerWorld) create(t *testing.T, db *sql.DB, ids ...string) {
	t.Helper()
	keys, err := driver.BranchKeys(db, "local")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := keys.Create(t.Context(), id, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRowsThatRepeat: rows that show the same value, near and far, each get
// their own, whatever the base driver does with its buffer.
func TestRowsThatRepeat(t *testing.T) {
	for _, format := range []string{"message", "compact"} {
		t.Run(format, func(t *testing.T) { rowsThatRepeat(t, newReaderWorld(t, format)) })
	}
}

func rowsThatRepeat(t *testing.T, w *readerWorld) {
	var served [][]any
	db := w.open(t, answering(func() sqldriver.Rows { return &frugalRows{rows: served} }))
	if w.policy == "compact" {
		w.create(t, db, "shop")
	}
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
	want := driver.ErrMismatch
	if w.policy == "compact" {
		want = driver.ErrUnauthentic
	}
	if n != 200 || !errors.Is(rows.Err(), want) {
		t.Errorf("%d rows, then %v", n, rows.Err())
	}
	// Compact values are read ahead only where a machine takes long to open them.
	if stats, err := driver.Stats(db); err != nil || w.policy == "message" && stats.RowsReadAhead == 0 {
		t.Errorf("%d rows were read ahead, %v", stats.RowsReadAhead, err)
	}
}

// TestKeysThatAreNotAtHandAreReadAhead: compact values open in the reader's goroutine until
// their keys have to be fetched; then those of several rows are fetched at the same time.
func TestKeysThatAreNotAtHandAreReadAhead(t *testing.T) {
	w := newReaderWorld(t, "compact, a branch key for each row")
	var served [][]any
	base := answering(func() sqldriver.Rows { return &frugalRows{rows: served} })
	writer := w.open(t, base)
	var ids []string
	for i := range 64 {
		ids = append(ids, fmt.Sprint(i))
	}
	w.create(t, writer, ids...)
	sealer, err := driver.Sealer(writer)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		value, err := sealer.Seal(t.Context(), "accounts", "ssn", driver.Row{"account_number": id}, []byte("secret of "+id))
		if err != nil {
			t.Fatal(err)
		}
		served = append(served, []any{[]byte(id), value})
	}
	reader := w.open(t, base)
	w.kms.SetFault("us-east-1", sealtest.Fault{Latency: 5 * time.Millisecond})
	rows, err := reader.Query("SELECT account_number, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id, ssn string
		if err := rows.Scan(&id, &ssn); err != nil || ssn != "secret of "+id {
			t.Fatalf("row %s has %q, %v", id, ssn, err)
		}
	}
	if peak := w.kms.PeakInFlight("us-east-1"); rows.Err() != nil || n != len(ids) || peak < 2 {
		t.Errorf("%d rows, %v; at most %d calls of KMS at a time", n, rows.Err(), peak)
	}
}
