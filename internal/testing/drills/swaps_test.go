package drills

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealpgx"
)

const swapPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: drill, name: a, key_env: SEALSQL_DRILL_KEY}}}
tables:
  accounts:
    row_key: [tenant, id]
    columns: {ssn: {keyring: pii, type: string}, iban: {keyring: pii, type: string}}
  people:
    row_key: [tenant, id]
    columns: {ssn: {keyring: pii, type: string}}
`

// swaps moves and changes values through a bare connection.
type swaps struct {
	t      *testing.T
	b      *base
	db     *sql.DB
	pool   *sealpgx.Pool // under the same connector; nil on MySQL
	turn   int           // of the ways to read without database/sql
	rnd    *rand.Rand
	rows   int // ids 0 to rows-1 in each tenant
	fresh  int // the next id that no row has had
	caught map[string]int
	wanted map[alert.Kind]uint64
}

const tenants = 4

// cell is a protected value's place.
type cell struct {
	table, column string
	tenant, id    int
}

func (c cell) String() string {
	return fmt.Sprintf("%s.%s of %d/%d", c.table, c.column, c.tenant, c.id)
}

// attack moves or changes the value in a place; it returns the bytes to put there,
// and the place, which it may have made.
type attack struct {
	name string
	kind alert.Kind
	make func(s *swaps) (cell, []byte)
}

var attacks = []attack{
	{"moved to another row", alert.Mismatch, func(s *swaps) (cell, []byte) {
		to := s.anywhere()
		from := to
		from.id = (to.id + 1 + s.rnd.IntN(s.rows-1)) % s.rows
		return to, s.stored(from)
	}},
	{"moved to another tenant", alert.Mismatch, func(s *swaps) (cell, []byte) {
		to := s.anywhere()
		from := to
		from.tenant = (to.tenant + 1 + s.rnd.IntN(tenants-1)) % tenants
		return to, s.stored(from)
	}},
	{"moved to another column", alert.Mismatch, func(s *swaps) (cell, []byte) {
		to := s.anywhere()
		to.table = "accounts"
		from := to
		if from.column = "iban"; to.column == "iban" {
			from.column = "ssn"
		}
		return to, s.stored(from)
	}},
	{"moved to another table", alert.Mismatch, func(s *swaps) (cell, []byte) {
		to := s.anywhere()
		to.column = "ssn"
		from := to
		if from.table = "people"; to.table == "people" {
			from.table = "accounts"
		}
		return to, s.stored(from)
	}},
	{"replayed from before the row was given another key", alert.Mismatch, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		old := s.stored(at)
		s.fresh++
		s.exec(s.db, fmt.Sprintf("UPDATE %s SET id = ? WHERE tenant = ? AND id = ?", at.table), s.fresh, at.tenant, at.id)
		s.insert(at.table, at.tenant, at.id) // another row takes the place
		at.id = s.fresh
		return at, old
	}},
	{"replayed from a deleted row into a new one", alert.Mismatch, func(s *swaps) (cell, []byte) {
		gone := s.anywhere()
		old := s.stored(gone)
		s.exec(s.bare(), fmt.Sprintf("DELETE FROM %s WHERE tenant = ? AND id = ?", gone.table), gone.tenant, gone.id)
		s.insert(gone.table, gone.tenant, gone.id)
		s.fresh++
		s.insert(gone.table, gone.tenant, s.fresh)
		gone.id = s.fresh
		return gone, old
	}},
	{"truncated", alert.Tampered, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		v := s.stored(at)
		return at, v[:40+s.rnd.IntN(len(v)-40)]
	}},
	{"lengthened", alert.Tampered, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		return at, append(bytes.Clone(s.stored(at)), byte(s.rnd.IntN(256)))
	}},
	{"a bit of the key, the commitment, the tags or the body flipped", alert.Tampered, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		v := bytes.Clone(s.stored(at))
		from := wrappedKeyAt(v)
		flip(v, from+s.rnd.IntN(len(v)-from), s.rnd.IntN(8))
		return at, v
	}},
	{"a bit of the stored context flipped", alert.Mismatch, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		v := bytes.Clone(s.stored(at))
		i := bytes.Index(v, []byte("tenant")) // a key of the context: its value follows
		flip(v, i+len("tenant")+2, s.rnd.IntN(4))
		return at, v
	}},
	{"put together from two values", alert.Tampered, func(s *swaps) (cell, []byte) {
		at := s.anywhere()
		other := at
		other.id = (at.id + 1 + s.rnd.IntN(s.rows-1)) % s.rows
		v, w := s.stored(at), s.stored(other)
		n := len(v) - 40 // the other's body, under this one's header
		return at, append(bytes.Clone(v[:n]), w[max(0, len(w)-40):]...)
	}},
	{"replaced by a plaintext", alert.NotCiphertext, func(s *swaps) (cell, []byte) {
		return s.anywhere(), fmt.Appendf(nil, "900-55-%04d", s.rnd.IntN(10000))
	}},
}

func flip(b []byte, at, bit int) { b[at] ^= 1 << bit }

// wrappedKeyAt is where the ciphertext of the first wrapped key begins (AWS
// Encryption SDK message header, version 2: version, suite, id, context, keys).
func wrappedKeyAt(b []byte) int {
	at := 1 + 2 + 32
	at += 2 + int(binary.BigEndian.Uint16(b[at:])) // the context
	at += 2                                        // the number of keys
	at += 2 + int(binary.BigEndian.Uint16(b[at:])) // the provider
	at += 2 + int(binary.BigEndian.Uint16(b[at:])) // what it says of the key
	return at + 2
}

func (s *swaps) bare() *sql.DB { return s.b.bare }

func (s *swaps) exec(db *sql.DB, text string, args ...any) {
	s.t.Helper()
	if _, err := db.Exec(s.b.q(text), args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

func (s *swaps) anywhere() cell {
	c := [...]cell{{table: "accounts", column: "ssn"}, {table: "accounts", column: "iban"}, {table: "people", column: "ssn"}}[s.rnd.IntN(3)]
	c.tenant, c.id = s.rnd.IntN(tenants), s.rnd.IntN(s.rows)
	return c
}

func (s *swaps) stored(c cell) (v []byte) {
	s.t.Helper()
	if err := s.bare().QueryRow(s.b.q("SELECT "+c.column+" FROM "+c.table+" WHERE tenant = ? AND id = ?"), c.tenant, c.id).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", c, err)
	}
	return v
}

func (s *swaps) put(c cell, v []byte) {
	s.t.Helper()
	s.exec(s.bare(), "UPDATE "+c.table+" SET "+c.column+" = ? WHERE tenant = ? AND id = ?", v, c.tenant, c.id)
}

func (s *swaps) insert(table string, tenant, id int) {
	s.t.Helper()
	if table == "people" {
		s.exec(s.db, "INSERT INTO people (tenant, id, ssn) VALUES (?, ?, ?)", tenant, id, value("ssn", tenant, id))
		return
	}
	s.exec(s.db, "INSERT INTO accounts (tenant, id, ssn, iban) VALUES (?, ?, ?, ?)", tenant, id, value("ssn", tenant, id), value("iban", tenant, id))
}

func value(column string, tenant, id int) string {
	return fmt.Sprintf("%s-%d-%06d", column, tenant, id)
}

func (s *swaps) read(c cell) (string, error) {
	var v sql.NullString
	err := s.db.QueryRow(s.b.q("SELECT tenant, id, "+c.column+" FROM "+c.table+" WHERE tenant = ? AND id = ?"), c.tenant, c.id).Scan(new(int), new(int), &v)
	return v.String, err
}

var sentinel = map[alert.Kind]error{alert.Mismatch: driver.ErrMismatch, alert.Tampered: driver.ErrTampered, alert.NotCiphertext: driver.ErrNotCiphertext,
	alert.Unauthentic: driver.ErrUnauthentic, alert.UnknownKey: driver.ErrUnknownKey}

// run carries out one attack and puts the value back.
func (s *swaps) run(a attack) {
	s.t.Helper()
	at, v := a.make(s)
	genuine := s.stored(at)
	s.put(at, v)
	got, err := s.read(at)
	caught := errors.Is(err, sentinel[a.kind])
	if !caught {
		s.t.Errorf("%s, %s: got %q, %v", at, a.name, got, err)
	}
	s.wanted[a.kind]++
	if s.pool != nil {
		got, err := s.readPgx(at)
		if !errors.Is(err, sentinel[a.kind]) {
			s.t.Errorf("%s, %s, through sealpgx: got %q, %v", at, a.name, got, err)
			caught = false
		}
		s.wanted[a.kind]++
	}
	if caught {
		s.caught[a.name]++
	}
	s.put(at, genuine)
}

// readPgx reads a value without database/sql, each time in another way.
func (s *swaps) readPgx(c cell) (v string, err error) {
	ctx := context.Background()
	text := "SELECT tenant, id, " + c.column + " FROM " + c.table + " WHERE tenant = $1 AND id = $2"
	scan := func(r pgx.Row) error { return r.Scan(nil, nil, &v) }
	switch s.turn++; s.turn % 4 {
	case 0:
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue(text, c.tenant, c.id).QueryRow(scan)
		err = s.pool.SendBatch(ctx, b).Close()
	case 1:
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return scan(tx.QueryRow(ctx, text, pgx.QueryExecModeExec, c.tenant, c.id)) })
	case 2:
		rows, _ := s.pool.Query(ctx, text, c.tenant, c.id)
		for rows.Next() {
			v = string(rows.RawValues()[2])
		}
		err = rows.Err()
	default:
		err = scan(s.pool.QueryRow(ctx, text, c.tenant, c.id))
	}
	return v, err
}

// openPgx opens the pool that shares the connector of db.
func (s *swaps) openPgx() {
	s.t.Helper()
	_, dsn := s.b.server.DSN(s.b.server.Addr(), s.b.name)
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	connector, err := driver.Of(s.db)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.pool, err = sealpgx.NewPoolWith(context.Background(), config, connector); err != nil {
		s.t.Fatal(err)
	}
}

// TestSwaps moves and changes values behind the driver's back: each must be
// refused and reported with its kind; and reads values that nobody touched, of which
// none may be.
func TestSwaps(t *testing.T) {
	swap(t, attacks, func(*testing.T) string { return swapPolicy }, func(*testing.T, *sql.DB) {})
}

// swap carries out attacks on values of a policy. prepare runs before the first value
// is written.
func swap(t *testing.T, attacks []attack, policyOf func(*testing.T) string, prepare func(*testing.T, *sql.DB)) {
	t.Helper()
	total, cleanReads := sized(600, 10_000), sized(20_000, 1_000_000)
	onBoth(t, func(t *testing.T, server *testdb.Server) {
		b := newBase(t, server, "CREATE TABLE accounts (tenant int, id int, ssn BINARY, iban BINARY, PRIMARY KEY (tenant, id))",
			"CREATE TABLE people (tenant int, id int, ssn BINARY, PRIMARY KEY (tenant, id))")
		rawPolicy(t)
		var mu sync.Mutex
		reported := map[alert.Kind]uint64{}
		incomplete := 0
		db := b.open(t, policyOf(t), quiet(), driver.WithAlertFunc(func(e alert.Event) {
			mu.Lock()
			defer mu.Unlock()
			reported[e.Kind] += e.Count()
			if e.Suppressed == 0 && (e.Table == "" || e.Column == "" || e.RowKeyDigest == "" || e.Statement == "" || e.Handed || len(e.Expected) == 0) {
				incomplete++
			}
		}))
		prepare(t, db)
		s := &swaps{t: t, b: b, db: db, rnd: rand.New(rand.NewPCG(7, 7)), rows: sized(50, 1000), fresh: 1_000_000,
			caught: map[string]int{}, wanted: map[alert.Kind]uint64{}}
		if b.postgres() {
			s.openPgx()
		}
		for tenant := range tenants {
			for id := range s.rows {
				s.insert("accounts", tenant, id)
				s.insert("people", tenant, id)
			}
		}
		s.clean(cleanReads)
		if st, err := driver.Stats(db); err != nil || len(st.Events) != 0 {
			t.Errorf("clean reads raised %v, %v", st.Events, err)
		}
		for i := range total {
			s.run(attacks[i%len(attacks)])
		}
		n := 0
		for _, a := range attacks {
			t.Logf("%s: %s: %d caught as %s", server.Name, a.name, s.caught[a.name], a.kind)
			n += s.caught[a.name]
		}
		t.Logf("%s: %d of %d caught, each with its kind (must be all), without database/sql too: %v", server.Name, n, total, s.pool != nil)
		if n != total {
			t.Error("not all were caught")
		}
		if s.pool != nil {
			s.pool.Close()
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for kind, want := range s.wanted {
			if reported[kind] != want {
				t.Errorf("%d of %d %ss were reported", reported[kind], want, kind)
			}
		}
		if len(reported) != len(s.wanted) || incomplete != 0 {
			t.Errorf("reported %v, wanted %v, %d without evidence", reported, s.wanted, incomplete)
		}
	})
}

// clean reads every value until n have been read.
func (s *swaps) clean(n int) {
	s.t.Helper()
	began, read := time.Now(), 0
	for read < n {
		rows, err := s.db.Query("SELECT tenant, id, ssn, iban FROM accounts")
		if err != nil {
			s.t.Fatal(err)
		}
		for rows.Next() {
			var tenant, id int
			var ssn, iban string
			if err := rows.Scan(&tenant, &id, &ssn, &iban); err != nil {
				s.t.Fatal(err)
			}
			if ssn != value("ssn", tenant, id) || iban != value("iban", tenant, id) {
				s.t.Fatalf("row %d/%d has %s, %s", tenant, id, ssn, iban)
			}
			read += 2
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Logf("%s: %d clean reads in %s: no alert (must be none)", s.b.server.Name, read, time.Since(began).Round(time.Millisecond))
}

// TestWhatNobodyCanSee holds docs/THREATS.md to the truth: an older value of the same
// row and column is genuine, and is handed out.
func TestWhatNobodyCanSee(t *testing.T) {
	b := newBase(t, testdb.Postgres(t), "CREATE TABLE accounts (tenant int, id int, ssn BINARY, iban BINARY, PRIMARY KEY (tenant, id))",
		"CREATE TABLE people (tenant int, id int, ssn BINARY, PRIMARY KEY (tenant, id))")
	rawPolicy(t)
	s := &swaps{t: t, b: b, db: b.open(t, swapPolicy)}
	at := cell{table: "people", column: "ssn", tenant: 1, id: 2}
	s.insert("people", 1, 2)
	old := s.stored(at)
	s.exec(s.db, "UPDATE people SET ssn = 'new' WHERE tenant = 1 AND id = 2")
	s.put(at, old)
	if got, err := s.read(at); err != nil || got != value("ssn", 1, 2) {
		t.Errorf("got %q, %v", got, err)
	}
	// Also when the row was deleted and one with the same key was made.
	s.exec(s.bare(), "DELETE FROM people")
	s.exec(s.db, "INSERT INTO people (tenant, id, ssn) VALUES (1, 2, 'somebody else')")
	s.put(at, old)
	if got, err := s.read(at); err != nil || !strings.HasPrefix(got, "ssn-1-") {
		t.Errorf("got %q, %v", got, err)
	}
}
