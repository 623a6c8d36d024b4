package sealpgx_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealpgx"
)

// recorder is every tracer of pgx's. It writes down what it is shown.
type recorder struct {
	mu   sync.Mutex
	seen strings.Builder
	of   map[string]int
}

func (r *recorder) note(kind string, data any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[kind]++
	fmt.Fprintf(&r.seen, "%s: %+v %q\n", kind, data, data)
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	r.note("query", d)
	return ctx
}
func (r *recorder) TraceQueryEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	r.note("query end", d)
}
func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		r.note("batch", *q)
	}
	return ctx
}
func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	r.note("batch query", d)
}
func (r *recorder) TraceBatchEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchEndData) {
	r.note("batch end", d)
}
func (r *recorder) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	r.note("copy", d)
	return ctx
}
func (r *recorder) TraceCopyFromEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceCopyFromEndData) {
	r.note("copy end", d)
}
func (r *recorder) TracePrepareStart(ctx context.Context, _ *pgx.Conn, d pgx.TracePrepareStartData) context.Context {
	r.note("prepare", d)
	return ctx
}
func (r *recorder) TracePrepareEnd(_ context.Context, _ *pgx.Conn, d pgx.TracePrepareEndData) {
	r.note("prepare end", d)
}
func (r *recorder) TraceConnectStart(ctx context.Context, d pgx.TraceConnectStartData) context.Context {
	return ctx
}
func (r *recorder) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {}
func (r *recorder) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	r.note("acquire", nil)
	return ctx
}
func (r *recorder) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {}
func (r *recorder) TraceRelease(*pgxpool.Pool, pgxpool.TraceReleaseData)                        {}

// TestTracersSeeNoPlaintext carries out statements of every route, in every mode, and
// some that fail, under every tracer of pgx's.
func TestTracersSeeNoPlaintext(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	config := s.config(t, s.proxy.Addr(), 0, "")
	r := &recorder{of: map[string]int{}}
	config.ConnConfig.Tracer = r
	pool, err := sealpgx.NewPool(ctx, config, driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	const secret = "900-12-3456"
	failed := 0
	for _, c := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO accounts (number, ssn) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET ssn = EXCLUDED.ssn RETURNING ssn", []any{"a1", secret}},
		{"INSERT INTO accounts (number, ssn) VALUES ('a2', '900-12-3456') ON CONFLICT (number) DO NOTHING", nil},
		{"INSERT INTO accounts (number, ssn) VALUES (@n, @s) ON CONFLICT DO NOTHING", []any{pgx.NamedArgs{"n": "a3", "s": secret}}},
		{"INSERT INTO people (ssn) VALUES ($1)", []any{secret}},
		{"UPDATE accounts SET ssn = $1 WHERE tenant = $2", []any{secret, 1}},
		{"SELECT number FROM accounts WHERE ssn = $1", []any{secret}},
		{"SELECT number, ssn FROM accounts WHERE ssn = ANY($1)", []any{[]string{secret}}},
		{"SELECT ssn FROM accounts", nil},
		{"SELECT ssn FROM accounts WHERE ssn LIKE $1", []any{"900-12%"}},
		{"INSERT INTO accounts (number, ssn) VALUES ($1, $2)", []any{"a1", secret}},
		{"INSERT INTO items (id, n) VALUES ($1, $2)", []any{1, secret}},
		{"INSERT INTO accounts (number, ssn) VALUES ($1, $2)", []any{secret}},
		{"INSERT INTO accounts (number, tenant, ssn) VALUES ($1, $2, $3)", []any{"a9", struct{}{}, secret}},
	} {
		for _, mode := range modes {
			args := append([]any{mode}, c.args...)
			rows, err := pool.Query(ctx, c.text, args...)
			for rows.Next() {
				_, _ = rows.Values()
			}
			if err != nil || rows.Err() != nil {
				failed++
			}
		}
		b := &pgx.Batch{}
		b.Queue(c.text, c.args...)
		if err := pool.SendBatch(ctx, b).Close(); err != nil {
			failed++
		}
		_ = pool.AcquireFunc(ctx, func(conn *sealpgx.PoolConn) error {
			if _, err := conn.Prepare(ctx, "kept", c.text); err == nil {
				_, _ = conn.Exec(ctx, "kept", c.args...)
			}
			return conn.Deallocate(ctx, "kept")
		})
	}
	for _, values := range [][]any{{"c1", secret}, {"c1", secret}, {nil, secret}, {"c2", struct{ C chan int }{}}, {struct{}{}, secret}, {"c3"}} {
		if _, err := pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{values})); err != nil {
			failed++
		}
	}
	if failed < 20 {
		t.Errorf("%d calls failed", failed)
	}
	for _, kind := range []string{"query", "query end", "batch", "batch query", "batch end", "copy", "copy end", "prepare", "prepare end", "acquire"} {
		if r.of[kind] == 0 {
			t.Errorf("no %s was traced: %v", kind, r.of)
		}
	}
	for _, plaintext := range []string{"900-12", fmt.Sprintf("%x", "900-12")} {
		if at := strings.Index(r.seen.String(), plaintext); at >= 0 {
			t.Errorf("a tracer saw %q: …%s", plaintext, r.seen.String()[max(0, at-300):at+20])
		}
	}
}
