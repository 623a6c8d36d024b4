package rekey

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

type postgres struct{}

func (postgres) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (postgres) placeholder(n int) string { return fmt.Sprintf("$%d", n) }

func (postgres) describe(k *keyColumn, c sqlplan.RelationColumn, t server.KeyType) error {
	typ := c.Type
	if typ == "character" {
		typ = "bpchar" // character means character(1) in a cast
	}
	k.text, k.param = k.quoted+"::text", "%s::text::"+typ
	k.stable = k.text
	switch t {
	case server.KeyUnsupported:
		return errors.New("a column of this type cannot be part of an encryption context")
	case server.KeyBytes:
		k.text, k.param = "encode("+k.quoted+", 'hex')", "decode(%s::text, 'hex')"
		k.stable = k.text
	case server.KeyTimestampTZ, server.KeyTimestamp, server.KeyDate:
		k.stable = "extract(epoch FROM " + k.quoted + ")::text" // no session setting changes it
	case server.KeyText, server.KeyPaddedText:
		k.stable = k.text + ` COLLATE "C"`
	}
	return nil
}

func (postgres) plain(quoted string, bytes bool) string {
	if bytes {
		return quoted
	}
	return quoted + "::text"
}

func (postgres) shard(texts []string, shard, n int) string {
	return fmt.Sprintf("(hashtextextended(concat_ws('/', %s), 0) & 9223372036854775807) %% %d = %d", strings.Join(texts, ", "), n, shard)
}

// after compares whole rows, which the unique key's index answers. Columns whose
// collation takes different texts for equal are told apart by their bytes.
func (postgres) after(key []keyColumn, n int) string {
	var left, right []string
	for i, k := range key {
		p := fmt.Sprintf("$%d", n+i)
		left, right = append(left, k.quoted), append(right, fmt.Sprintf(k.param, p))
	}
	for i, k := range key {
		if k.inexact {
			left, right = append(left, k.stable), append(right, fmt.Sprintf(`$%d::text COLLATE "C"`, n+i))
		}
	}
	if len(left) == 1 {
		return left[0] + " > " + right[0]
	}
	return "(" + strings.Join(left, ", ") + ") > (" + strings.Join(right, ", ") + ")"
}

func (postgres) order(key []keyColumn) string {
	var by []string
	for _, k := range key {
		by = append(by, "t."+k.quoted)
	}
	for _, k := range key {
		if k.inexact {
			by = append(by, k.stable)
		}
	}
	return strings.Join(by, ", ")
}

// transaction is read committed whatever the role's default is: under stricter
// levels every row that an application changed would fail the page.
func (postgres) transaction() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

// write sends the page in one statement. The plan must go by the key: a hash
// join over the whole table would make the cost of a page grow with the table.
func (d postgres) write(ctx context.Context, tx *sql.Tx, t *target, changes []*change) ([]bool, error) {
	const byIndex = "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)"
	if _, err := tx.ExecContext(ctx, byIndex); err != nil {
		return nil, err
	}
	text, args := d.update(t, changes)
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	done := make([]bool, len(changes))
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		done[n-1] = true
	}
	return done, rows.Err()
}

func (d postgres) update(t *target, changes []*change) (string, []any) {
	value := "bytea[]"
	if t.policy.Storage == "base64" {
		value = "text[]"
	}
	from, alias := []string{"$1::" + value, "$2::" + value, "$3::bytea[]"}, []string{"value", "replaces", "origin"}
	args := []any{column(t, changes, func(c *change) any { return c.value }), column(t, changes, func(c *change) any { return c.replaces }), origins(changes)}
	where := []string{"t." + t.value + " IS NOT DISTINCT FROM v.replaces"}
	if t.policy.Storage == "base64" {
		where[0] = "t." + t.value + `::text COLLATE "C" IS NOT DISTINCT FROM v.replaces COLLATE "C"`
	}
	if t.from != "" {
		where = append(where, originIs(t))
	}
	add := func(values []*string, condition string) {
		name := fmt.Sprintf("k%d", len(args))
		args = append(args, values)
		from, alias = append(from, fmt.Sprintf("$%d::text[]", len(args))), append(alias, name)
		where = append(where, strings.ReplaceAll(condition, "?", "v."+name))
	}
	for i, k := range t.key {
		condition := "t." + k.quoted + " = " + fmt.Sprintf(k.param, "?")
		if k.inexact {
			condition += " AND t." + k.stable + ` = ? COLLATE "C"`
		}
		add(texts(changes, func(r *row) (string, bool) { return r.key[i], false }), condition)
	}
	for i, k := range t.sources {
		add(texts(changes, func(r *row) (string, bool) { return r.sources[i], r.null[i] }), "t."+k.quoted+" IS NOT DISTINCT FROM "+fmt.Sprintf(k.param, "?"))
	}
	return fmt.Sprintf("UPDATE %s AS t SET %s = v.value FROM unnest(%s) WITH ORDINALITY AS v(%s, n) WHERE %s RETURNING v.n",
		t.relation, t.value, strings.Join(from, ", "), strings.Join(alias, ", "), strings.Join(where, " AND ")), args
}

// originIs compares the column in clear: its text, or its bytes.
func originIs(t *target) string {
	if strings.HasSuffix(t.fromExpr, "::text") {
		return "convert_to(t." + t.fromExpr + ", 'UTF8') IS NOT DISTINCT FROM v.origin"
	}
	return "t." + t.from + " IS NOT DISTINCT FROM v.origin"
}

func origins(changes []*change) [][]byte {
	out := make([][]byte, len(changes))
	for i, c := range changes {
		out[i] = c.row.from
	}
	return out
}

func texts(changes []*change, f func(*row) (string, bool)) []*string {
	out := make([]*string, len(changes))
	for i, c := range changes {
		if s, null := f(c.row); !null {
			out[i] = &s
		}
	}
	return out
}

// column collects values as an array of the column's storage.
func column(t *target, changes []*change, f func(*change) any) any {
	if t.policy.Storage != "base64" {
		out := make([][]byte, len(changes))
		for i, c := range changes {
			out[i], _ = f(c).([]byte) // nil is NULL
		}
		return out
	}
	out := make([]*string, len(changes))
	for i, c := range changes {
		switch v := f(c).(type) {
		case string:
			out[i] = &v
		case []byte:
			if v != nil {
				s := string(v)
				out[i] = &s
			}
		}
	}
	return out
}

// lag refuses where the server hides the figures: it shows them as NULL to
// accounts without pg_read_all_stats, and the job would never wait.
func (postgres) lag(ctx context.Context, db *sql.DB) (time.Duration, error) {
	var seconds float64
	var hidden int
	err := db.QueryRowContext(ctx, "SELECT COALESCE(max(extract(epoch FROM replay_lag)), 0)::float8, count(*) FILTER (WHERE state IS NULL) FROM pg_catalog.pg_stat_replication").Scan(&seconds, &hidden)
	if err == nil && hidden > 0 {
		return 0, fmt.Errorf("%w: the account may not see how far replicas are behind; grant it pg_read_all_stats, or name a replica to ask", ErrConfig)
	}
	return time.Duration(seconds * float64(time.Second)), err
}

// tryLock takes a session's advisory lock. The server drops it when the
// process that held it dies, however it dies.
func (postgres) tryLock(ctx context.Context, c *sql.Conn, name string) (ok bool, err error) {
	h := fnv.New64a()
	h.Write([]byte("sealsql " + name))
	err = c.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(h.Sum64())).Scan(&ok)
	return ok, err
}

func (postgres) unlock() string { return "SELECT pg_advisory_unlock_all()" }

func (postgres) checkpointTable() string {
	return `CREATE TABLE IF NOT EXISTS sealsql_jobs (job text PRIMARY KEY, owner text NOT NULL, state text NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())`
}

// transient recognises deadlocks, serialization failures, cancelled lock waits and
// connections that went away.
func (postgres) transient(err error) bool {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		s := e.SQLState()
		return s == "40001" || s == "40P01" || s == "55P03" || strings.HasPrefix(s, "08") || strings.HasPrefix(s, "57P") || strings.HasPrefix(s, "53")
	}
	return lost(err)
}
