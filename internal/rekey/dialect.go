package rekey

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// dialect is what the engine knows of one family of servers.
type dialect interface {
	quote(name string) string
	// placeholder writes the n-th argument, from 1.
	placeholder(n int) string
	// describe fills in how a column's value travels as text.
	describe(k *keyColumn, c sqlplan.RelationColumn, t server.KeyType) error
	// plain is the SQL that yields a column in clear as bytes or text.
	plain(quoted string, bytes bool) string
	// shard is a condition that is true for the rows of one shard of n.
	shard(texts []string, shard, n int) string
	// after is a condition for the rows behind the one that the arguments
	// from the n-th name.
	after(key []keyColumn, n int) string
	// order is the order in which after pages.
	order(key []keyColumn) string
	// transaction is how pages are written; nil is the server's default.
	transaction() *sql.TxOptions
	// write replaces the values of rows that still are as they were read, and
	// reports which it replaced.
	write(ctx context.Context, tx *sql.Tx, t *target, changes []*change) ([]bool, error)
	// lag asks how far the replicas are behind.
	lag(ctx context.Context, db *sql.DB) (time.Duration, error)
	// tryLock takes a lock of that name for the connection's life.
	tryLock(ctx context.Context, c *sql.Conn, name string) (bool, error)
	// unlock gives up the connection's locks.
	unlock() string
	// checkpointTable is the DDL of the table that holds checkpoints.
	checkpointTable() string
	// transient reports whether an error means that the same transaction may
	// succeed when it is sent again.
	transient(err error) bool
}

// change is a value on its way into the table.
type change struct {
	row      *row
	replaces []byte // the value read; nil for NULL
	value    any    // []byte or string
}

// selectRows is the text up to WHERE. ORDER BY names its columns with the alias:
// by itself a name there means the output column, which is text.
func (t *target) selectRows() string {
	var columns []string
	for _, k := range t.key {
		columns = append(columns, k.text)
	}
	for _, k := range t.sources {
		columns = append(columns, k.text)
	}
	columns = append(columns, t.value)
	if t.from != "" {
		columns = append(columns, t.fromExpr)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + t.relation + " AS t"
}

// page is the text that reads a page of the shard's rows, behind a key if
// after is set.
func (t *target) page(after bool, limit int) string {
	var where []string
	if after {
		where = append(where, t.dialect.after(t.key, 1))
	}
	if t.shards > 1 {
		texts := make([]string, len(t.key))
		for i, k := range t.key {
			texts[i] = k.stable
		}
		where = append(where, t.dialect.shard(texts, t.shard, t.shards))
	}
	text := t.selectRows()
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", text, t.dialect.order(t.key), limit)
}

// byKey is the text that reads one row by its key.
func (t *target) byKey() string {
	var where []string
	for i, k := range t.key {
		p := fmt.Sprintf(k.param, t.dialect.placeholder(i+1))
		where = append(where, k.quoted+" = "+p)
	}
	return t.selectRows() + " WHERE " + strings.Join(where, " AND ")
}

func (t *target) query(ctx context.Context, db *sql.DB, text string, key []string) ([]*row, error) {
	args := make([]any, 0, 2*len(key))
	for _, k := range key {
		args = append(args, k)
	}
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var out []*row
	for rows.Next() {
		r, err := t.scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (t *target) scan(rows *sql.Rows) (*row, error) {
	r := &row{key: make([]string, len(t.key)), sources: make([]string, len(t.sources)), null: make([]bool, len(t.sources))}
	sources := make([]sql.NullString, len(t.sources))
	into := make([]any, 0, len(t.key)+len(t.sources)+2)
	for i := range r.key {
		into = append(into, &r.key[i])
	}
	for i := range sources {
		into = append(into, &sources[i])
	}
	into = append(into, &r.stored)
	if t.from != "" {
		into = append(into, &r.from)
	}
	if err := rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("rekey: a row of %s cannot be read", t.table) // the cause may quote a value
	}
	for i, s := range sources {
		r.sources[i], r.null[i] = s.String, !s.Valid
	}
	return r, nil
}

// afterArgs are the arguments of after.
func afterArgs(d dialect, key []string) []string {
	if _, ok := d.(mysql); !ok {
		return key
	}
	// MySQL's placeholders have no numbers: see mysql.after.
	out := []string{key[0]}
	for i := range key {
		out = append(out, key[:i+1]...)
	}
	return out
}
