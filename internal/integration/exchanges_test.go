package integration

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealpgx"
)

// exchangeCounter is a proxy that counts the messages of a client that are answered.
type exchangeCounter struct {
	net.Listener
	target    string
	forward   func(c *exchangeCounter, to io.Writer, from io.Reader) error
	exchanges atomic.Int64
}

func countExchanges(t *testing.T, server *testdb.Server) *exchangeCounter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	forward := (*exchangeCounter).forwardMySQL
	if server.Name == "postgres" {
		forward = (*exchangeCounter).forwardPostgres
	}
	c := &exchangeCounter{Listener: l, target: server.Addr(), forward: forward}
	t.Cleanup(func() { _ = l.Close() })
	go c.serve()
	return c
}

func (c *exchangeCounter) serve() {
	for {
		client, err := c.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		go func() { _ = c.forward(c, server, client); _ = server.Close() }()
	}
}

// Commands that the server does not answer.
const (
	comQuit      = 0x01
	comStmtClose = 0x19
)

// forwardMySQL passes packets on. A command is a packet with the number 0.
func (c *exchangeCounter) forwardMySQL(to io.Writer, from io.Reader) error {
	for {
		var head [4]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return err
		}
		size := binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0})
		body := make([]byte, size)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		if head[3] == 0 && size > 0 && body[0] != comQuit && body[0] != comStmtClose {
			c.exchanges.Add(1)
		}
		if _, err := to.Write(append(head[:], body...)); err != nil {
			return err
		}
	}
}

// Messages of Postgres that the server answers with ReadyForQuery.
const (
	messageQuery = 'Q'
	messageSync  = 'S'
)

// forwardPostgres passes messages on. The first has no type.
func (c *exchangeCounter) forwardPostgres(to io.Writer, from io.Reader) error {
	for head := make([]byte, 4); ; head = make([]byte, 5) {
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head[len(head)-4:])
		body := make([]byte, size-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		if len(head) == 5 && (head[0] == messageQuery || head[0] == messageSync) {
			c.exchanges.Add(1)
		}
		if _, err := to.Write(append(head, body...)); err != nil {
			return err
		}
	}
}

// routeCase is a statement of one route.
type routeCase struct {
	name, text string
	only       string // the server that has the statement; empty for both
	args       []any
	// alone and within are the most exchanges that the statement may take outside and
	// inside of a transaction.
	alone, within int64
}

// face is one way to send statements on one connection.
type face struct {
	name          string
	exec          func(text string, args ...any) error
	begin, commit func() error
	close         func() // the connection, for good
}

// routeCases are the statements of docs/PERFORMANCE.md's table of exchanges.
var routeCases = []routeCase{
	{"a read by a text key", "SELECT ssn FROM accounts WHERE account_number = ?", "", []any{"a1"}, 2, 2},
	{"an INSERT with an automatic key", "INSERT INTO people (name, ssn) VALUES (NULL, ?)", "", []any{ssn1}, 6, 4},
	{"an INSERT with an automatic key beside triggers", "INSERT INTO auto (email, ssn) VALUES (NULL, ?)", "mysql", []any{ssn1}, 6, 4},
	{"an INSERT with an automatic key and RETURNING", "INSERT INTO people (name, ssn) VALUES (NULL, ?) RETURNING id", "postgres", []any{ssn1}, 6, 4},
	{"an INSERT with a text key", "INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", "", []any{fresh{}, ssn1}, 5, 4},
	{"an UPDATE by a text key", "UPDATE accounts SET ssn = ? WHERE account_number = ?", "", []any{ssn1, "a1"}, 1, 1},
	{"an UPDATE by a text key in another case", "UPDATE accounts SET ssn = ? WHERE account_number = ?", "mysql", []any{ssn1, "A1"}, 3, 3},
	{"an UPDATE by no key", "UPDATE people SET ssn = ? WHERE name = ?", "mysql", []any{ssn1, "ada"}, 2, 2},
	{"an UPDATE by no key", "UPDATE people SET ssn = ? WHERE name = ?", "postgres", []any{ssn1, "ada"}, 2, 4},
	{"an UPDATE by a number", "UPDATE people SET ssn = ? WHERE id = ?", "", []any{ssn1, int64(1)}, 2, 2},
	{"an upsert by a text key", "INSERT INTO accounts (account_number, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "mysql", []any{"a1", ssn1}, 1, 1},
	{"an upsert by a text key", "INSERT INTO accounts (account_number, ssn) VALUES (?, ?) ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn", "postgres", []any{"a1", ssn1}, 5, 4},
	{"an upsert with an automatic key", "INSERT INTO people (name, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "mysql", []any{"ada", ssn1}, 7, 5},
	{"an upsert with an automatic key", "INSERT INTO people (name, ssn) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET ssn = EXCLUDED.ssn", "postgres", []any{"ada", ssn1}, 9, 9},
	{"an upsert with an automatic key of a new row", "INSERT INTO people (name, ssn) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET ssn = EXCLUDED.ssn", "postgres", []any{fresh{}, ssn1}, 5, 5},
}

// fresh stands for a key that no row has.
type fresh struct{}

// TestExchangesOfEachRoute counts what a statement takes at the server, on a connection
// that is warm. docs/PERFORMANCE.md has the table.
func TestExchangesOfEachRoute(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { exchangesOn(t, server) })
	}
}

func exchangesOn(t *testing.T, server *testdb.Server) {
	name := server.NewDatabase(t)
	s := &site{t: t, server: server, bare: server.Open(t, name)}
	s.set(schema[server.Name]...)
	s.set("INSERT INTO accounts (account_number) VALUES ('a1')", "INSERT INTO people (id, name) VALUES (1, 'ada')")
	text := policyText
	if s.postgres() {
		s.set("SELECT setval('people_id_seq', 10)")
	} else {
		s.set(strings.ReplaceAll(autoTable, "%s", "blob")+")", "CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW SET @x = 1")
		text += strings.SplitAfter(autoPolicy, "tables:\n")[1]
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	proxy := countExchanges(t, server)
	base, dsn := server.DSN(proxy.Addr().String(), name)
	options := []driver.Option{driver.WithPolicy(s.parse(text)), driver.WithAWSConfig(k.AWSConfig("us-east-1"))}
	bare, err := sql.Open(base, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bare.Close() })
	sealed := open(t, base, dsn, options...)
	faces := []func() *face{func() *face { return databaseFace(t, "bare", bare) }, func() *face { return databaseFace(t, "sealsql", sealed) }}
	if s.postgres() {
		pool := poolThrough(t, dsn, options...)
		faces = append(faces, func() *face { return pgxFace(t, pool) })
	}
	ran := 0
	for _, c := range routeCases {
		if c.only != "" && c.only != server.Name {
			continue
		}
		for _, open := range faces {
			f := open()
			alone, within := c.count(t, s, f, proxy)
			if ran++; f.name != "bare" && (alone > c.alone || within > c.within) {
				t.Errorf("%s through %s takes %d exchanges, in a transaction %d; want at most %d and %d", c.name, f.name, alone, within, c.alone, c.within)
			}
			t.Logf("| %s | %s | %d | %d |", c.name, f.name, alone, within)
			f.close()
		}
	}
	if want := 8 * len(faces); ran < want {
		t.Errorf("%d statements were counted, want %d at least", ran, want)
	}
}

// count carries the statement out until its plan and the session's settings are known, and
// counts what it takes then, outside and inside of a transaction.
func (c *routeCase) count(t *testing.T, s *site, f *face, proxy *exchangeCounter) (alone, within int64) {
	send := func() int64 {
		args := slices.Clone(c.args)
		for i, arg := range args {
			switch {
			case arg == fresh{}:
				args[i] = fmt.Sprint("n", rand.Int64())
			case arg == ssn1 && f.name == "bare":
				args[i] = []byte(ssn1)
			}
		}
		before := proxy.exchanges.Load()
		if err := f.exec(s.q(c.text), args...); err != nil {
			t.Errorf("%s through %s: %v", c.name, f.name, err)
		}
		return proxy.exchanges.Load() - before
	}
	send()
	alone = send()
	if err := f.begin(); err != nil {
		t.Error(err)
	}
	send() // it may take another route
	within = send()
	if err := f.commit(); err != nil {
		t.Error(err)
	}
	return alone, within
}

// databaseFace sends statements through database/sql.
func databaseFace(t *testing.T, name string, db *sql.DB) *face {
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var x interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	} = conn
	var tx *sql.Tx
	return &face{name: name, close: func() { closeForGood(conn) },
		exec: func(text string, args ...any) error {
			if !strings.HasPrefix(text, "SELECT") {
				_, err := x.ExecContext(t.Context(), text, args...)
				return err
			}
			rows, err := x.QueryContext(t.Context(), text, args...)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		begin: func() error {
			tx, err = conn.BeginTx(t.Context(), nil)
			x = tx
			return err
		},
		commit: func() error {
			x = conn
			return tx.Commit()
		}}
}

// poolThrough opens a pool of sealpgx.
func poolThrough(t *testing.T, dsn string, options ...driver.Option) *sealpgx.Pool {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sealpgx.NewPool(t.Context(), config, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// pgxFace sends statements through sealpgx.
func pgxFace(t *testing.T, pool *sealpgx.Pool) *face {
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var x interface {
		Query(context.Context, string, ...any) (pgx.Rows, error)
		Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	} = conn
	var tx pgx.Tx
	return &face{name: "sealpgx", close: func() { _ = conn.Hijack().Close(context.Background()) },
		exec: func(text string, args ...any) error {
			if !strings.HasPrefix(text, "SELECT") {
				_, err := x.Exec(t.Context(), text, args...)
				return err
			}
			rows, err := x.Query(t.Context(), text, args...)
			rows.Close()
			return errors.Join(err, rows.Err())
		},
		begin: func() error {
			tx, err = conn.Begin(t.Context())
			x = tx
			return err
		},
		commit: func() error {
			x = conn
			return tx.Commit(t.Context())
		}}
}
