package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

// Jobs implements [server.Server].
func (Server) Jobs() server.Jobs { return jobs{} }

type jobs struct{}

var _ server.Jobs = jobs{}

func (jobs) Quote(name string) string { return identifier(name) }

func (jobs) Placeholder(int) string { return "?" }

// describe gives every comparison a value of the column's own type: MySQL
// compares a number with a text as floats, which takes different large numbers for equal.
func (jobs) Describe(k *server.JobColumn, c server.Column) error {
	typ, _, _ := strings.Cut(c.Type, " ")
	k.Text, k.Param = "CAST("+k.Quoted+" AS CHAR)", "%s"
	k.Stable = k.Text
	switch c.Key {
	case server.KeyText, server.KeyPaddedText:
		if strings.HasPrefix(c.Type, "enum") || strings.HasPrefix(c.Type, "set") {
			return errors.New("a row key of type ENUM or SET cannot be paged through: its order is not its text's")
		}
		k.Text = k.Quoted
		k.Stable = "CAST(CONVERT(" + k.Quoted + " USING utf8mb4) AS BINARY)" // the column's character set may be another
	case server.KeyInteger:
		k.Param = "CAST(%s AS SIGNED)"
		if strings.Contains(c.Type, "unsigned") {
			k.Param = "CAST(%s AS DECIMAL(20,0))" // MySQL 9 reads a text from 2^63 on wrongly as UNSIGNED
		}
	case server.KeyNumeric:
		k.Param = "CAST(%s AS " + typ + ")"
	case server.KeyBytes:
		k.Text, k.Param = "HEX("+k.Quoted+")", "UNHEX(%s)"
		k.Stable = k.Text
	case server.KeyTimestamp:
		k.Param = "CAST(%s AS DATETIME(6))"
	case server.KeyDate:
		k.Param = "CAST(%s AS DATE)"
	case server.KeyUUID:
		k.Param = "CAST(%s AS UUID)"
	default:
		return errors.New("a column of this type cannot be part of an encryption context")
	}
	return nil
}

func (jobs) Clear(quoted string, bytes bool) string {
	if bytes {
		return quoted
	}
	return "CAST(" + quoted + " AS CHAR)"
}

func (jobs) Shard(texts []string, shard, n int) string {
	return fmt.Sprintf("MOD(CRC32(CONCAT_WS('/', %s)), %d) = %d", strings.Join(texts, ", "), n, shard)
}

// after is written out by columns: MySQL finds no range of an index for a
// comparison of rows. The first condition is the range.
func (jobs) After(key []server.JobColumn, _ int) string {
	var or []string
	for i := range key {
		var and []string
		for j := range i {
			and = append(and, key[j].Quoted+" = "+fmt.Sprintf(key[j].Param, "?"))
		}
		or = append(or, strings.Join(append(and, key[i].Quoted+" > "+fmt.Sprintf(key[i].Param, "?")), " AND "))
	}
	return key[0].Quoted + " >= " + fmt.Sprintf(key[0].Param, "?") + " AND ((" + strings.Join(or, ") OR (") + "))"
}

func (jobs) Order(key []server.JobColumn) string {
	var by []string
	for _, k := range key {
		by = append(by, "t."+k.Quoted)
	}
	return strings.Join(by, ", ")
}

// transaction is the default: an UPDATE sees what is committed at any level, and
// a server whose binary log is of statements refuses to write under others.
func (jobs) Transaction() *sql.TxOptions { return nil }

func (jobs) Write(ctx context.Context, tx *sql.Tx, t *server.JobTable, changes []*server.JobChange) ([]bool, error) {
	stmt, err := tx.PrepareContext(ctx, updateOne(t))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }() // the transaction's end closes it too
	done := make([]bool, len(changes))
	for i, c := range changes {
		var replaces, origin any
		if c.Replaces != nil {
			replaces = c.Replaces
		}
		if c.Row.From != nil {
			origin = c.Row.From
		}
		args := append(append([]any{c.Value}, c.Terms...), replaces)
		if t.From != "" {
			args = append(args, origin)
		}
		for j := range t.Key {
			args = append(args, c.Row.Key[j])
			if t.Key[j].Inexact {
				args = append(args, c.Row.Key[j])
			}
		}
		for j := range t.Sources {
			var v any
			if !c.Row.Null[j] {
				v = c.Row.Sources[j]
			}
			args = append(args, v)
		}
		res, err := stmt.ExecContext(ctx, args...)
		if err != nil {
			return nil, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, err
		}
		done[i] = n == 1
	}
	return done, stored(ctx, tx, t, server.Done(changes, done))
}

// stored fails unless the rows hold what was written to them.
func stored(ctx context.Context, tx *sql.Tx, t *server.JobTable, written []*server.JobChange) error {
	if len(written) == 0 {
		return nil
	}
	one := []string{valueIs(t)}
	for _, k := range t.Key {
		one = append(one, k.Quoted+" = "+fmt.Sprintf(k.Param, "?"))
		if k.Inexact {
			one = append(one, k.Stable+" = CAST(? AS BINARY)")
		}
	}
	var args []any
	for _, c := range written {
		args = append(args, c.Replaces)
		for j := range t.Key {
			args = append(args, c.Row.Key[j])
			if t.Key[j].Inexact {
				args = append(args, c.Row.Key[j])
			}
		}
	}
	all := strings.Repeat(" OR ("+strings.Join(one, " AND ")+")", len(written))[len(" OR "):]
	var found int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.Relation+" WHERE "+all, args...).Scan(&found); err != nil {
		return err
	}
	return server.Stored(found, len(written))
}

// valueIs compares the value with a parameter: JSON as JSON, which the server does not
// keep as it was written, and others by their bytes, since a collation takes different
// base64 texts for equal.
func valueIs(t *server.JobTable) string {
	if t.Document == "json" {
		return t.Value + " <=> CAST(? AS JSON)"
	}
	return "CAST(" + t.Value + " AS BINARY) <=> CAST(? AS BINARY)"
}

// updateOne is the statement that changes a row which is as it was read.
func updateOne(t *server.JobTable) string {
	where := []string{valueIs(t)}
	if t.From != "" {
		where = append(where, "CAST("+t.FromExpr+" AS BINARY) <=> CAST(? AS BINARY)")
	}
	for _, k := range t.Key {
		where = append(where, k.Quoted+" = "+fmt.Sprintf(k.Param, "?"))
		if k.Inexact {
			where = append(where, k.Stable+" = CAST(? AS BINARY)")
		}
	}
	for _, k := range t.Sources {
		where = append(where, k.Quoted+" <=> "+fmt.Sprintf(k.Param, "?"))
	}
	set := t.Value + " = ?"
	for _, name := range t.Terms {
		set += ", " + name + " = ?"
	}
	return "UPDATE " + t.Relation + " SET " + set + " WHERE " + strings.Join(where, " AND ")
}

// lag cannot be asked of the primary in MySQL.
func (jobs) Lag(context.Context, *sql.DB) (time.Duration, error) {
	return 0, fmt.Errorf("%w; name a replica to ask", server.ErrLagUnknown)
}

func (jobs) TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	var got sql.NullInt64 // names are limited to 64 characters
	err := c.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('sealsql ', SHA2(CONCAT(COALESCE(DATABASE(), ''), '/', ?), 224)), 0)", name).Scan(&got)
	return got.Int64 == 1, err
}

// unlock fails on servers older than MySQL 5.7 and MariaDB 10.5, where the
// connection's end gives up the lock.
func (jobs) Unlock() string { return "DO RELEASE_ALL_LOCKS()" }

func (jobs) CheckpointTable() string {
	return "CREATE TABLE IF NOT EXISTS sealsql_jobs (job varchar(250) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, owner varchar(64) NOT NULL, state longtext NOT NULL, changed_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)"
}

// transient recognises deadlocks, lock waits that timed out, and connections
// that went away.
func (jobs) Transient(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch e.Number {
		case 1205, 1213, 1020, 1053, 1040, 1927: // lock wait, deadlock, changed row, shutdown, too many connections, killed
			return true
		}
		return false
	}
	return errors.Is(err, mysql.ErrInvalidConn) || server.Lost(err)
}

// ReplicaLag reads SHOW REPLICA STATUS, whose columns differ between versions.
func (jobs) ReplicaLag(ctx context.Context, replica *sql.DB) (time.Duration, error) {
	rows, err := replica.QueryContext(ctx, "SHOW REPLICA STATUS")
	if err != nil {
		if rows, err = replica.QueryContext(ctx, "SHOW SLAVE STATUS"); err != nil {
			return 0, err
		}
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	var worst time.Duration
	channels := 0
	for ; rows.Next(); channels++ {
		cells, seconds := make([]any, len(names)), sql.NullInt64{}
		for i, name := range names {
			cells[i] = new(sql.RawBytes)
			if name == "Seconds_Behind_Source" || name == "Seconds_Behind_Master" {
				cells[i] = &seconds
			}
		}
		if err := rows.Scan(cells...); err != nil {
			return 0, err
		}
		if !seconds.Valid {
			return 0, errors.New("sealsql: the replica has stopped replicating; start it, or name another to ask")
		}
		worst = max(worst, time.Duration(seconds.Int64)*time.Second)
	}
	if err := rows.Err(); err != nil || channels > 0 {
		return worst, err
	}
	return 0, server.ErrNoReplica
}

// AfterArgs are the arguments of After, whose placeholders have no numbers.
func (jobs) AfterArgs(key []string) []string {
	out := []string{key[0]}
	for i := range key {
		out = append(out, key[:i+1]...)
	}
	return out
}

// Estimate reads the storage engine's statistics.
func (jobs) Estimate(ctx context.Context, db *sql.DB, schema, table string) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT COALESCE(MAX(TABLE_ROWS), 0) FROM information_schema.TABLES WHERE TABLE_NAME = ? AND TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE())", table, schema).Scan(&n)
	return n, err
}
