package integration

import (
	"context"
	"database/sql"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// exchangeCounter is a proxy that counts the commands of MySQL's protocol that are answered.
type exchangeCounter struct {
	net.Listener
	target    string
	exchanges atomic.Int64
}

func countExchanges(t *testing.T, target string) *exchangeCounter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &exchangeCounter{Listener: l, target: target}
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
		go func() { c.forward(server, client); _ = server.Close() }()
	}
}

// Commands that the server does not answer.
const (
	comQuit      = 0x01
	comStmtClose = 0x19
)

// forward passes packets on. A command is a packet with the number 0.
func (c *exchangeCounter) forward(to io.Writer, from io.Reader) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		size := binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0})
		body := make([]byte, size)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		if head[3] == 0 && size > 0 && body[0] != comQuit && body[0] != comStmtClose {
			c.exchanges.Add(1)
		}
		if _, err := to.Write(append(head[:], body...)); err != nil {
			return
		}
	}
}

// TestExchangesOfEachRoute counts what a statement takes at the server, on a connection
// that is warm. docs/PERFORMANCE.md has the table.
func TestExchangesOfEachRoute(t *testing.T) {
	server := testdb.MySQL(t)
	name := server.NewDatabase(t)
	bare := server.Open(t, name)
	s := &site{t: t, server: server, bare: bare}
	s.set(schema["mysql"]...)
	s.set("INSERT INTO accounts (account_number) VALUES ('a1')", "INSERT INTO people (id, name) VALUES (1, 'ada')")
	s.set(strings.ReplaceAll(autoTable, "%s", "blob")+")", "CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW SET @x = 1")
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	proxy := countExchanges(t, server.Addr())
	base, dsn := server.DSN(proxy.Addr().String(), name)
	db := open(t, base, dsn, driver.WithPolicy(s.parse(policyText+strings.SplitAfter(autoPolicy, "tables:\n")[1])), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	for _, c := range []struct {
		name, text string
		args       []any
		// alone and within are the most exchanges that the statement may take outside and
		// inside of a transaction.
		alone, within int64
	}{
		{"an INSERT with an automatic key", "INSERT INTO people (name, ssn) VALUES (NULL, ?)", []any{ssn1}, 6, 4},
		{"an INSERT with an automatic key beside triggers", "INSERT INTO auto (email, ssn) VALUES (NULL, ?)", []any{ssn1}, 6, 4},
		{"an UPDATE by a text key", "UPDATE accounts SET ssn = ? WHERE account_number = ?", []any{ssn1, "a1"}, 5, 4},
		{"an UPDATE by no key", "UPDATE people SET ssn = ? WHERE name = ?", []any{ssn1, "ada"}, 5, 4},
		{"an UPDATE by a number", "UPDATE people SET ssn = ? WHERE id = ?", []any{ssn1, int64(1)}, 2, 2},
		{"an upsert by a text key", "INSERT INTO accounts (account_number, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"a1", ssn1}, 5, 4},
		{"an upsert with an automatic key", "INSERT INTO people (name, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"ada", ssn1}, 7, 5},
	} {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		send := func(x interface {
			ExecContext(context.Context, string, ...any) (sql.Result, error)
		}) int64 {
			before := proxy.exchanges.Load()
			if _, err := x.ExecContext(t.Context(), c.text, c.args...); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			return proxy.exchanges.Load() - before
		}
		send(conn) // its plan and the session's settings are known from now on
		alone := send(conn)
		tx, err := conn.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		within := send(tx)
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		closeForGood(conn)
		t.Logf("%s: %d, in a transaction %d", c.name, alone, within)
		if alone > c.alone || within > c.within {
			t.Errorf("%s takes %d exchanges, in a transaction %d; want at most %d and %d", c.name, alone, within, c.alone, c.within)
		}
	}
}
