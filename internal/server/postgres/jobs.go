package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

// Jobs implements [server.Server].
func (Server) Jobs() server.Jobs { return jobs{} }

type jobs struct{}

var _ server.Jobs = jobs{}

func (jobs) Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (jobs) Placeholder(n int) string { return fmt.Sprintf("$%d", n) }

func (jobs) Describe(k *server.JobColumn, c server.Column) error {
	typ := c.Type
	if typ == "character" {
		typ = "bpchar" // character means character(1) in a cast
	}
	k.Text, k.Param = k.Quoted+"::text", "%s::text::"+typ
	k.Stable = k.Text
	switch c.Key {
	case server.KeyUnsupported:
		return errors.New("a column of this type cannot be part of an encryption context")
	case server.KeyBytes:
		k.Text, k.Param = "encode("+k.Quoted+", 'hex')", "decode(%s::text, 'hex')"
		k.Stable = k.Text
	case server.KeyTimestampTZ, server.KeyTimestamp, server.KeyDate:
		k.Stable = "extract(epoch FROM " + k.Quoted + ")::text" // no session setting changes it
	case server.KeyText, server.KeyPaddedText:
		k.Stable = k.Text + ` COLLATE "C"`
	}
	return nil
}

func (jobs) Clear(quoted string, bytes bool) string {
	if bytes {
		return quoted
	}
	return quoted + "::text"
}

func (jobs) Shard(texts []string, shard, n int) string {
	return fmt.Sprintf("(hashtextextended(concat_ws('/', %s), 0) & 9223372036854775807) %% %d = %d", strings.Join(texts, ", "), n, shard)
}

// after compares whole rows, which the unique key's index answers. Columns whose
// collation takes different texts for equal are told apart by their bytes.
func (jobs) After(key []server.JobColumn, n int) string {
	var left, right []string
	for i, k := range key {
		p := fmt.Sprintf("$%d", n+i)
		left, right = append(left, k.Quoted), append(right, fmt.Sprintf(k.Param, p))
	}
	for i, k := range key {
		if k.Inexact {
			left, right = append(left, k.Stable), append(right, fmt.Sprintf(`$%d::text COLLATE "C"`, n+i))
		}
	}
	if len(left) == 1 {
		return left[0] + " > " + right[0]
	}
	return "(" + strings.Join(left, ", ") + ") > (" + strings.Join(right, ", ") + ")"
}

func (jobs) Order(key []server.JobColumn) string {
	var by []string
	for _, k := range key {
		by = append(by, "t."+k.Quoted)
	}
	for _, k := range key {
		if k.Inexact {
			by = append(by, k.Stable)
		}
	}
	return strings.Join(by, ", ")
}

// transaction is read committed whatever the role's default is: under stricter
// levels every row that an application changed would fail the page.
func (jobs) Transaction() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

// write sends the page in one statement. The plan must go by the key: a hash
// join over the whole table would make the cost of a page grow with the table.
func (d jobs) Write(ctx context.Context, tx *sql.Tx, t *server.JobTable, changes []*server.JobChange) ([]bool, error) {
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
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return done, stored(ctx, tx, t, server.Done(changes, done))
}

// stored fails unless the rows hold what was written to them.
func stored(ctx context.Context, tx *sql.Tx, t *server.JobTable, written []*server.JobChange) error {
	keys := *t
	keys.From, keys.Sources, keys.Terms = "", nil, nil
	from, where, args := match(&keys, written)
	var found int
	if err := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM %s AS t, %s WHERE %s", t.Relation, from, where), args...).Scan(&found); err != nil {
		return err
	}
	return server.Stored(found, len(written))
}

func (d jobs) update(t *server.JobTable, changes []*server.JobChange) (string, []any) {
	from, where, args := match(t, changes)
	set := t.Value + " = v.value"
	if t.Document != "" {
		set += "::" + t.Document
	}
	for i, name := range t.Terms {
		set += fmt.Sprintf(", %s = v.term%d", name, i)
	}
	return fmt.Sprintf("UPDATE %s AS t SET %s FROM %s WHERE %s RETURNING v.n", t.Relation, set, from, where), args
}

// match is the changes as a relation v, and the condition that a row of t still is as
// a change read it.
func match(t *server.JobTable, changes []*server.JobChange) (relation, condition string, args []any) {
	value := "bytea[]"
	if t.Base64 {
		value = "text[]"
	}
	from, alias := []string{"$1::" + value, "$2::" + value, "$3::bytea[]"}, []string{"value", "replaces", "origin"}
	args = []any{column(t, changes, func(c *server.JobChange) any { return c.Value }), column(t, changes, func(c *server.JobChange) any { return c.Replaces }), origins(changes)}
	where := []string{"t." + t.Value + " IS NOT DISTINCT FROM v.replaces"}
	if t.Base64 {
		where[0] = "t." + t.Value + `::text COLLATE "C" IS NOT DISTINCT FROM v.replaces COLLATE "C"`
	}
	if t.Document == "jsonb" {
		where[0] = "t." + t.Value + " IS NOT DISTINCT FROM v.replaces::jsonb"
	}
	if t.From != "" {
		where = append(where, originIs(t))
	}
	for i := range t.Terms {
		args = append(args, column(t, changes, func(c *server.JobChange) any { return c.Terms[i] }))
		from, alias = append(from, fmt.Sprintf("$%d::%s", len(args), value)), append(alias, fmt.Sprintf("term%d", i))
	}
	add := func(values []*string, condition string) {
		name := fmt.Sprintf("k%d", len(args))
		args = append(args, values)
		from, alias = append(from, fmt.Sprintf("$%d::text[]", len(args))), append(alias, name)
		where = append(where, strings.ReplaceAll(condition, "?", "v."+name))
	}
	for i, k := range t.Key {
		condition := "t." + k.Quoted + " = " + fmt.Sprintf(k.Param, "?")
		if k.Inexact {
			condition += " AND t." + k.Stable + ` = ? COLLATE "C"`
		}
		add(texts(changes, func(r *server.JobRow) (string, bool) { return r.Key[i], false }), condition)
	}
	for i, k := range t.Sources {
		add(texts(changes, func(r *server.JobRow) (string, bool) { return r.Sources[i], r.Null[i] }), "t."+k.Quoted+" IS NOT DISTINCT FROM "+fmt.Sprintf(k.Param, "?"))
	}
	return fmt.Sprintf("unnest(%s) WITH ORDINALITY AS v(%s, n)", strings.Join(from, ", "), strings.Join(alias, ", ")), strings.Join(where, " AND "), args
}

// originIs compares the column in clear: its text, or its bytes.
func originIs(t *server.JobTable) string {
	if strings.HasSuffix(t.FromExpr, "::text") {
		return "convert_to(t." + t.FromExpr + ", 'UTF8') IS NOT DISTINCT FROM v.origin"
	}
	return "t." + t.From + " IS NOT DISTINCT FROM v.origin"
}

func origins(changes []*server.JobChange) [][]byte {
	out := make([][]byte, len(changes))
	for i, c := range changes {
		out[i] = c.Row.From
	}
	return out
}

func texts(changes []*server.JobChange, f func(*server.JobRow) (string, bool)) []*string {
	out := make([]*string, len(changes))
	for i, c := range changes {
		if s, null := f(c.Row); !null {
			out[i] = &s
		}
	}
	return out
}

// column collects values as an array of the column's storage.
func column(t *server.JobTable, changes []*server.JobChange, f func(*server.JobChange) any) any {
	if !t.Base64 {
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
func (jobs) Lag(ctx context.Context, db *sql.DB) (time.Duration, error) {
	var seconds float64
	var hidden int
	err := db.QueryRowContext(ctx, "SELECT COALESCE(max(extract(epoch FROM replay_lag)), 0)::float8, count(*) FILTER (WHERE state IS NULL) FROM pg_catalog.pg_stat_replication").Scan(&seconds, &hidden)
	if err == nil && hidden > 0 {
		return 0, fmt.Errorf("%w to this account; grant it pg_read_all_stats, or name a replica to ask", server.ErrLagUnknown)
	}
	return time.Duration(seconds * float64(time.Second)), err
}

// tryLock takes a session's advisory lock. The server drops it when the
// process that held it dies, however it dies.
func (jobs) TryLock(ctx context.Context, c *sql.Conn, name string) (ok bool, err error) {
	h := fnv.New64a()
	h.Write([]byte("sealsql " + name))
	err = c.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(h.Sum64())).Scan(&ok)
	return ok, err
}

func (jobs) Unlock() string { return "SELECT pg_advisory_unlock_all()" }

func (jobs) CheckpointTable() string {
	return `CREATE TABLE IF NOT EXISTS sealsql_jobs (job text PRIMARY KEY, owner text NOT NULL, state text NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())`
}

// transient recognises deadlocks, serialization failures, cancelled lock waits and
// connections that went away.
func (jobs) Transient(err error) bool {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		s := e.SQLState()
		return s == "40001" || s == "40P01" || s == "55P03" || strings.HasPrefix(s, "08") || strings.HasPrefix(s, "57P") || strings.HasPrefix(s, "53")
	}
	return server.Lost(err)
}

// AfterArgs are the arguments of After.
func (jobs) AfterArgs(key []string) []string { return key }

// ReplicaLag compares what was received with what was replayed.
func (jobs) ReplicaLag(ctx context.Context, replica *sql.DB) (time.Duration, error) {
	var follows bool
	var seconds float64
	err := replica.QueryRowContext(ctx, `SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
THEN extract(epoch FROM now() - COALESCE(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) ELSE 0 END::float8`).Scan(&follows, &seconds)
	if err == nil && !follows {
		return 0, server.ErrNoReplica
	}
	return time.Duration(seconds * float64(time.Second)), err
}

// Estimate reads the planner's statistics.
func (jobs) Estimate(ctx context.Context, db *sql.DB, schema, table string) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT COALESCE(max(reltuples), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $1 AND ($2 = '' OR n.nspname = $2)", table, schema).Scan(&n)
	return n, err
}
