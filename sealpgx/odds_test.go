package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealpgx"
)

// pooled is what pools of both kinds have.
type pooled interface {
	querier
	Begin(context.Context) (pgx.Tx, error)
}

const insertAccount = "INSERT INTO accounts (number, ssn) VALUES ($1, $2)"

// odd cases are carried out through sealpgx and bare, and must tell the same.
var oddCases = map[string]func(ctx context.Context, q pooled, say func(...any)){
	"a batch that fails in its middle": func(ctx context.Context, q pooled, say func(...any)) {
		b := &pgx.Batch{}
		b.Queue(insertAccount, "b1", "911-11-1111")
		b.Queue("SELECT 1 / 0")
		b.Queue("SELECT ssn FROM accounts WHERE number = 'a1'").QueryRow(func(r pgx.Row) error { say("called"); return r.Scan(nil) })
		results := q.SendBatch(ctx, b)
		tag, err := results.Exec()
		say(tag, stateOf(err))
		_, err = results.Exec()
		say(stateOf(err))
		rows, err := results.Query()
		rows.Close()
		say(stateOf(err))
		say(stateOf(results.Close()), stateOf(results.Close()))
	},
	"a batch whose function fails": func(ctx context.Context, q pooled, say func(...any)) {
		b := &pgx.Batch{}
		b.Queue("SELECT ssn FROM accounts WHERE number = 'a1'").QueryRow(func(r pgx.Row) error { return errors.New("the function failed") })
		b.Queue("SELECT 1").Exec(func(pgconn.CommandTag) error { say("called"); return nil })
		say(q.SendBatch(ctx, b).Close())
	},
	"a batch in an aborted transaction": func(ctx context.Context, q pooled, say func(...any)) {
		say(stateOf(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1 / 0")
			say(stateOf(err))
			b := &pgx.Batch{}
			b.Queue(insertAccount, "b1", "911-11-1111")
			b.Queue("SELECT ssn FROM accounts")
			say(stateOf(tx.SendBatch(ctx, b).Close()))
			_, err = tx.Exec(ctx, insertAccount, "b2", "911-11-1111")
			say(stateOf(err))
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"b3", "911-11-1111"}}))
			say(stateOf(err))
			return nil
		})))
	},
	"an empty batch": func(ctx context.Context, q pooled, say func(...any)) {
		say(q.SendBatch(ctx, &pgx.Batch{}).Close())
	},
	"results of a batch that are not read": func(ctx context.Context, q pooled, say func(...any)) {
		b := &pgx.Batch{}
		b.Queue(insertAccount, "b1", "911-11-1111")
		b.Queue("SELECT ssn FROM accounts")
		results := q.SendBatch(ctx, b)
		say(results.Close())
		_, err := results.Exec()
		say(err != nil)
	},
	"rows that are closed early in a transaction": func(ctx context.Context, q pooled, say func(...any)) {
		tx, err := q.Begin(ctx)
		say(err)
		rows, err := tx.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
		say(err, rows.Next())
		rows.Close()
		say(rows.Err(), rows.Next(), rows.CommandTag())
		say(tx.Commit(ctx))
	},
	"a function that panics in a transaction": func(ctx context.Context, q pooled, say func(...any)) {
		defer func() { say(recover()) }()
		_ = pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, insertAccount, "b1", "911-11-1111")
			say(err)
			panic("in the middle")
		})
	},
	"savepoints": func(ctx context.Context, q pooled, say func(...any)) {
		say(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			for i, fails := range []bool{false, true, false} {
				err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, insertAccount, fmt.Sprint("b", i), "911-11-1111")
					if fails {
						_, err = tx.Exec(ctx, insertAccount, "a1", "911-11-1111")
					}
					return err
				})
				say(stateOf(err))
			}
			return nil
		}))
	},
	"a transaction that is used after its end": func(ctx context.Context, q pooled, say func(...any)) {
		tx, _ := q.Begin(ctx)
		inner, _ := tx.Begin(ctx)
		say(tx.Rollback(ctx))
		for _, tx := range []pgx.Tx{tx, inner} {
			_, err := tx.Exec(ctx, insertAccount, "b1", "911-11-1111")
			say(err)
			_, err = tx.Query(ctx, "SELECT ssn FROM accounts")
			say(err, tx.QueryRow(ctx, "SELECT ssn FROM accounts").Scan(nil))
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number"}, pgx.CopyFromRows(nil))
			_, prepared := tx.Prepare(ctx, "p", "SELECT 1")
			_, begun := tx.Begin(ctx)
			say(err, prepared, begun, tx.Commit(ctx), tx.SendBatch(ctx, &pgx.Batch{}).Close())
		}
	},
	"a statement that a transaction prepared": func(ctx context.Context, q pooled, say func(...any)) {
		say(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "in the transaction", insertAccount)
			say(err)
			_, err = tx.Exec(ctx, "in the transaction", "b1", "911-11-1111")
			return err
		}))
	},
	"a cancelled query": func(ctx context.Context, q pooled, say func(...any)) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := q.Exec(ctx, insertAccount, "b1", "911-11-1111")
		say(errors.Is(err, context.Canceled))
		rows, err := q.Query(ctx, "SELECT ssn FROM accounts")
		rows.Close()
		say(errors.Is(err, context.Canceled), errors.Is(rows.Err(), context.Canceled))
		b := &pgx.Batch{}
		b.Queue("SELECT ssn FROM accounts")
		say(errors.Is(q.SendBatch(ctx, b).Close(), context.Canceled))
	},
	"a rewriter that writes another statement": func(ctx context.Context, q pooled, say func(...any)) {
		_, err := q.Exec(ctx, "anything", rewriter{insertAccount, []any{"b1", "911-11-1111"}})
		say(err)
		_, err = q.Exec(ctx, "anything", rewriter{"", nil})
		say(err)
	},
}

// rewriter replaces a statement.
type rewriter struct {
	text string
	args []any
}

func (r rewriter) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	if r.text == "" {
		return "", nil, errors.New("nothing to write")
	}
	return r.text, r.args, nil
}

// stateOf is what identifies an error.
func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestOddCasesEndAsInClear(t *testing.T) {
	ran, cases := 0, maps.Clone(oddCases)
	maps.Copy(cases, callCases)
	for _, parameter := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=cache_describe"} {
		s := newSite(t, parameter)
		s.watch(t, "911-11", "911-22", "911-33", "911-44", "911-00", "900-12")
		ctx := context.Background()
		for name, f := range cases {
			var told [2]string
			for i, q := range []pooled{s.pool, s.twin} {
				exec(t, s.bare, resetText)
				exec(t, s.twin, resetText)
				exec(t, querier(q), seedText)
				f(ctx, q, func(what ...any) { told[i] += fmt.Sprintln(what...) })
				told[i] += answerOf(q, "SELECT number, ssn FROM accounts ORDER BY number", nil)
			}
			if ran++; told[0] != told[1] {
				t.Errorf("%s%s:\n got %s\nwant %s", name, parameter, told[0], told[1])
			}
		}
		s.givenBack(t)
	}
	if want := 4 * (len(oddCases) + len(callCases)); ran != want {
		t.Errorf("%d cases ran, want %d", ran, want)
	}
}

// loud is a codec of an application that reads texts and bytes in its own way.
type loud struct{ pgtype.Codec }

func (l loud) DecodeValue(m *pgtype.Map, oid uint32, format int16, src []byte) (any, error) {
	v, err := l.Codec.DecodeValue(m, oid, format, src)
	if s, ok := v.(string); ok {
		return strings.ToUpper(s) + "!", err
	}
	return fmt.Sprint("loud ", v), err
}

// TestTypesOfTheApplicationsOwn registers codecs for the types that ciphertexts and
// plaintexts have on each connection.
func TestTypesOfTheApplicationsOwn(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	var answers [2]string
	register := func(_ context.Context, c *pgx.Conn) error {
		for _, name := range []string{"text", "varchar", "bytea", "int8"} {
			known, _ := c.TypeMap().TypeForName(name)
			c.TypeMap().RegisterType(&pgtype.Type{Name: name, OID: known.OID, Codec: loud{known.Codec}})
		}
		return nil
	}
	for i := range 2 {
		config := s.config(t, []string{s.proxy.Addr(), s.server.Addr()}[i], i, "")
		config.AfterConnect = register
		var q pooled
		var err error
		if i == 0 {
			pool, failed := sealpgx.NewPool(ctx, config, driver.WithPolicy(testPolicy(t)))
			q, err = pool, failed
			t.Cleanup(pool.Close)
		} else {
			pool, failed := pgxpool.NewWithConfig(ctx, config)
			q, err = pool, failed
			t.Cleanup(pool.Close)
		}
		if err != nil {
			t.Fatal(err)
		}
		exec(t, querier(q), seedText)
		answers[i] = answerOf(q, "UPDATE accounts SET ssn = $1 WHERE tenant = 1 RETURNING number, ssn", []any{"911-11-1111"}) +
			answerOf(q, "SELECT a.*, p.ssn AS other FROM accounts a, people p ORDER BY number", nil)
		var ssn string
		if err := q.QueryRow(ctx, "SELECT ssn FROM people").Scan(&ssn); err != nil || ssn != "900-12-3458" {
			t.Errorf("%q, %v", ssn, err)
		}
	}
	if answers[0] != answers[1] || !strings.Contains(answers[0], "!") {
		t.Errorf("\n got %s\nwant %s", answers[0], answers[1])
	}
}

// TestAConnectionThatIsGivenBackWithOpenRows releases a connection whose rows are not
// read, and takes one out of the pool.
func TestAConnectionThatIsGivenBackWithOpenRows(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	exec(t, s.pool, "INSERT INTO accounts (number, ssn) SELECT 'r' || n, NULL FROM generate_series(1, 20000) n")
	for range 10 {
		c, err := s.pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := c.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		c.Release() // closes the connection in the background: its rows are nobody's now
		c.Release()
	}
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mine := c.Hijack()
	var ssn string
	if err := mine.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&ssn); err != nil || ssn != "900-12-3456" {
		t.Errorf("%q, %v", ssn, err)
	}
	exec(t, mine, "LISTEN news")
	exec(t, s.pool, "NOTIFY news, 'told'")
	if n, err := mine.WaitForNotification(ctx); err != nil || n.Payload != "told" {
		t.Error(n, err)
	}
	if err := mine.Close(ctx); err != nil {
		t.Error(err)
	}
	s.givenBack(t)
}

// TestAPolicyIsReloadedUnderLoad reloads the policy while rows are copied, read in batches
// and in transactions.
func TestAPolicyIsReloadedUnderLoad(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 12 {
				number := fmt.Sprintf("g%d-%d", g, i)
				_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{number, "900-12-3456"}}))
				var ssn string
				b := &pgx.Batch{}
				b.Queue("SELECT ssn FROM accounts WHERE number = $1", number).QueryRow(func(r pgx.Row) error { return r.Scan(&ssn) })
				err = errors.Join(err, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() }))
				if err != nil || ssn != "900-12-3456" {
					t.Errorf("%s: %q, %v", number, ssn, err)
				}
			}
		})
	}
	for range 20 {
		if err := s.pool.Connector().Reload(testPolicy(t)); err != nil {
			t.Error(err)
		}
		s.pool.Reset()
	}
	wg.Wait()
	s.givenBack(t)
}

// TestAConnectionWithoutACache names a mode in each call, since the connection's own takes
// a cache that it does not have.
func TestAConnectionWithoutACache(t *testing.T) {
	for _, parameter := range []string{"&statement_cache_capacity=0", "&default_query_exec_mode=cache_describe&description_cache_capacity=0"} {
		s := newSite(t, parameter)
		ctx := context.Background()
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
			var answers [2]string
			for i, q := range []pooled{s.pool, s.twin} {
				exec(t, querier(q), "DELETE FROM accounts")
				exec(t, querier(q), insertAccount, mode, "a1", "900-12-3456")
				answers[i] = answerOf(q, "SELECT number, ssn FROM accounts WHERE ssn = $1", []any{mode, "900-12-3456"}) +
					answerOf(q, "UPDATE accounts SET name = 'x' WHERE number = 'a1'", nil)
			}
			if answers[0] != answers[1] {
				t.Errorf("%s, %v:\n got %s\nwant %s", parameter, mode, answers[0], answers[1])
			}
		}
		if err := s.pool.Ping(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestWhatRowsHandOutStaysTheirs keeps what rows handed out until other rows have been read
// with what served them.
func TestWhatRowsHandOutStaysTheirs(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	read := func(number string) (raw []byte, fields []pgconn.FieldDescription, rows pgx.Rows) {
		rows, err := s.pool.Query(ctx, "SELECT ssn, number FROM accounts WHERE number = $1", number)
		if err != nil || !rows.Next() {
			t.Fatal(number, err, rows.Err())
		}
		raw, fields = rows.RawValues()[0], rows.FieldDescriptions()
		rows.Close()
		rows.Close() // does nothing
		return raw, fields, rows
	}
	raw, fields, rows := read("a1")
	for range 50 {
		if other, _, _ := read("a2"); string(other) != "900-12-3457" {
			t.Fatalf("%q", other)
		}
	}
	if string(raw) != "900-12-3456" || fields[0].Name != "ssn" || rows.CommandTag().RowsAffected() != 1 || rows.Next() || rows.Err() != nil {
		t.Errorf("%q, %v, %v, %v", raw, fields, rows.CommandTag(), rows.Err())
	}
}
