package sealpgx

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// queuedItem is a query of a batch that was planned.
type queuedItem struct {
	request
	engine *exec.Engine // made the plan
	plan   *sqlplan.Plan
	// bound is set for a protected query.
	bound exec.Bound
	// fn is called with the query's result; nil if nobody waits for it.
	fn func(pgx.BatchResults) error
}

// sendBatch plans every query of a batch, seals its values, and sends the batch. As pgx
// does with a QueryRewriter, it puts what is sent in the place of what was queued. send is
// the connection's SendBatch, or a transaction's, which takes less.
func (c *conn) sendBatch(ctx context.Context, b *pgx.Batch, send func(context.Context, *pgx.Batch) pgx.BatchResults) pgx.BatchResults {
	items, err := c.planBatch(ctx, b)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	for i, q := range b.QueuedQueries {
		item := &items[i]
		item.fn, q.Fn = q.Fn, nil // it must not see the results as they are
		q.SQL, q.Arguments = item.sent, item.sentArgs
		if item.plan.Protected {
			q.SQL, q.Arguments = item.bound.Text, plain(item.bound.Args)
		}
	}
	c.batched = true
	open := c.base.PgConn().TxStatus() != 'I'
	results := &batchResults{ctx: ctx, conn: c, base: send(ctx, b), items: items}
	for i := range items {
		c.session.Sent(items[i].plan, nil)
	}
	if tx := results.base.Tx(); tx != nil {
		c.began(open)
		results.tx = &Tx{conn: c, base: tx}
	}
	return results
}

// planBatch plans the queries of a batch and seals their values. Nothing of the batch is
// sent if one of them is refused.
func (c *conn) planBatch(ctx context.Context, b *pgx.Batch) ([]queuedItem, error) {
	items := make([]queuedItem, len(b.QueuedQueries))
	var before preceding
	for i, q := range b.QueuedQueries {
		item := &items[i]
		var err error
		if item.request, err = c.request(ctx, q.SQL, q.Arguments, queued); err != nil {
			return nil, err
		}
		if item.engine, item.plan, err = c.plan(ctx, item.text); err != nil {
			return nil, err
		}
		if err = before.allow(item.text, item.plan); err == nil {
			err = c.bind(ctx, item)
		}
		if err != nil {
			return nil, c.failed(ctx, item.text, err)
		}
	}
	return items, nil
}

// bind seals the values of a protected query.
func (c *conn) bind(ctx context.Context, item *queuedItem) (err error) {
	run := c.run(item.engine, item.plan, &item.request)
	text := item.text
	if item.plan.Protected {
		if item.bound, err = run.Bind(ctx); err != nil {
			return err
		}
		text = item.bound.Text
	}
	if item.plan.Named && c.mode == pgx.QueryExecModeCacheStatement {
		return run.DescribeNow(ctx, text)
	}
	return nil
}

// preceding is what the queries of a batch that come before another one do. A batch is
// planned before it is sent: no query of it may change what a later one means.
type preceding struct{ session, tables bool }

// allow refuses a query that one before may give another meaning.
func (p *preceding) allow(text string, plan *sqlplan.Plan) error {
	switch named := plan.Named || plan.Protected; {
	case p.tables:
		return &fault.RefusedError{What: "a statement of the batch changes a protected table, or what reads it, before another statement", Hint: "send the former by itself"}
	case p.session && named:
		return &fault.RefusedError{What: "a statement of the batch changes the session before another names a protected table", Hint: "send the former by itself"}
	case named && !ordinary(text):
		p.tables = true
	}
	p.session = p.session || plan.Session || plan.Doubt
	return nil
}

// ordinary reports whether a text is one statement that changes rows at most, or that
// begins or ends a transaction.
func ordinary(text string) bool {
	text = statement(text)
	verb := text
	if end := strings.IndexFunc(text, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }); end >= 0 {
		verb = text[:end]
	}
	if i := strings.IndexByte(text, ';'); i >= 0 && statement(text[i+1:]) != "" {
		return false
	}
	return slices.Contains(ordinaryVerbs, strings.ToUpper(verb))
}

var ordinaryVerbs = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"}

// statement is a text from its first statement on, without the comments before it.
func statement(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f\v(")
		switch {
		case strings.HasPrefix(text, "--"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/") // one within another leaves no verb
		default:
			return text
		}
	}
}

// batchResults are the results of a batch, with protected values opened.
type batchResults struct {
	ctx   context.Context
	conn  *conn
	base  pgx.BatchResults
	items []queuedItem
	next  int
	tx    *Tx
	// release gives the connection back; nil if nobody waits for it.
	release func()
	err     error
	closed  bool
}

var _ pgx.BatchResults = (*batchResults)(nil)

// take returns the next query, or nil if there is none: the base's results then say so.
func (r *batchResults) take() *queuedItem {
	if r.next == len(r.items) {
		return nil
	}
	r.next++
	return &r.items[r.next-1]
}

// Exec implements pgx.BatchResults.
func (r *batchResults) Exec() (pgconn.CommandTag, error) {
	r.take()
	tag, err := r.base.Exec()
	return tag, r.named(err)
}

// Query implements pgx.BatchResults.
func (r *batchResults) Query() (pgx.Rows, error) {
	item := r.take()
	base, err := r.base.Query()
	if err != nil || item == nil || !item.plan.Protected {
		return base, err
	}
	own := newRows(r.conn)
	if err = r.named(own.desk.fetched.fetch(base, r.conn.base.TypeMap())); err != nil {
		return failedRows{err}, err
	}
	answer, err := item.bound.Answer(r.ctx, &own.desk.fetched)
	if err != nil {
		base.Close()
		return failedRows{err}, err
	}
	own.open(r.ctx, &answer, &item.request)
	return own, nil
}

// QueryRow implements pgx.BatchResults.
func (r *batchResults) QueryRow() pgx.Row {
	rows, err := r.Query()
	return &row{rows, err}
}

// Close implements pgx.BatchResults. It calls the functions that wait for results.
func (r *batchResults) Close() error {
	if r.closed {
		return r.err
	}
	r.closed = true
	for r.err == nil && r.next < len(r.items) {
		if fn := r.items[r.next].fn; fn != nil {
			r.err = fn(r)
		} else if _, err := r.Exec(); err != nil {
			break // the base's results keep it
		}
	}
	r.err = cmp.Or(r.err, r.named(r.base.Close()))
	for i := range r.items { // pgx says only now that DDL was carried out
		item := &r.items[i]
		r.conn.session.Defined(r.ctx, (*routed)(r.conn), item.engine, r.conn.engine(), item.plan, item.text, r.err)
	}
	if r.release != nil {
		r.release()
	}
	return r.err
}

// named names protected columns in an error of the server's.
func (r *batchResults) named(err error) error { return r.conn.engine().Named(r.ctx, "", err) }

// Tx implements pgx.BatchResults.
func (r *batchResults) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}
