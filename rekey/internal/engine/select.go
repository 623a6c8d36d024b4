package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
)

// selectRows is the text up to WHERE. ORDER BY names its columns with the alias:
// by itself a name there means the output column, which is text.
func (t *target) selectRows() string {
	var columns []string
	for _, k := range t.Key {
		columns = append(columns, k.Text)
	}
	for _, k := range t.Sources {
		columns = append(columns, k.Text)
	}
	columns = append(columns, t.Value)
	if t.From != "" {
		columns = append(columns, t.FromExpr)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + t.Relation + " AS t"
}

// page is the text that reads a page of the shard's rows, behind a key if
// after is set.
func (t *target) page(after bool, limit int) string {
	var where []string
	if after {
		where = append(where, t.jobs.After(t.Key, 1))
	}
	if shard := t.inShard(); shard != "" {
		where = append(where, shard)
	}
	text := t.selectRows()
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", text, t.jobs.Order(t.Key), limit)
}

// inShard is the condition that a row is of the job's shard; empty if there is one.
func (t *target) inShard() string {
	if t.shards <= 1 {
		return ""
	}
	texts := make([]string, len(t.Key))
	for i, k := range t.Key {
		texts[i] = k.Stable
	}
	return t.jobs.Shard(texts, t.shard, t.shards)
}

// byKey is the text that reads one row by its key.
func (t *target) byKey() string {
	var where []string
	for i, k := range t.Key {
		p := fmt.Sprintf(k.Param, t.jobs.Placeholder(i+1))
		where = append(where, k.Quoted+" = "+p)
	}
	return t.selectRows() + " WHERE " + strings.Join(where, " AND ")
}

func (t *target) query(ctx context.Context, db *sql.DB, text string, key []string) ([]*server.JobRow, error) {
	args := make([]any, 0, 2*len(key))
	for _, k := range key {
		args = append(args, k)
	}
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var out []*server.JobRow
	for rows.Next() {
		r, err := t.scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (t *target) scan(rows *sql.Rows) (*server.JobRow, error) {
	r := &server.JobRow{Key: make([]string, len(t.Key)), Sources: make([]string, len(t.Sources)), Null: make([]bool, len(t.Sources))}
	sources := make([]sql.NullString, len(t.Sources))
	into := make([]any, 0, len(t.Key)+len(t.Sources)+2)
	for i := range r.Key {
		into = append(into, &r.Key[i])
	}
	for i := range sources {
		into = append(into, &sources[i])
	}
	into = append(into, &r.Stored)
	if t.From != "" {
		into = append(into, &r.From)
	}
	if err := rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("rekey: a row of %s cannot be read", t.table) // the cause may quote a value
	}
	for i, s := range sources {
		r.Sources[i], r.Null[i] = s.String, !s.Valid
	}
	return r, nil
}
