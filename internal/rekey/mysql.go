package rekey

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// mysql is MySQL's and MariaDB's dialect.
type mysql struct{}

func (mysql) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (mysql) placeholder(int) string { return "?" }

// describe gives every comparison a value of the column's own type: MySQL
// compares a number with a text as floats, which takes different large numbers for equal.
func (mysql) describe(k *keyColumn, c sqlplan.RelationColumn, t server.KeyType) error {
	typ, _, _ := strings.Cut(c.Type, " ")
	k.text, k.param = "CAST("+k.quoted+" AS CHAR)", "%s"
	k.stable = k.text
	switch t {
	case server.KeyText, server.KeyPaddedText:
		if strings.HasPrefix(c.Type, "enum") || strings.HasPrefix(c.Type, "set") {
			return errors.New("a row key of type ENUM or SET cannot be paged through: its order is not its text's")
		}
		k.text = k.quoted
		k.stable = "CAST(CONVERT(" + k.quoted + " USING utf8mb4) AS BINARY)" // the column's character set may be another
	case server.KeyInteger:
		k.param = "CAST(%s AS SIGNED)"
		if strings.Contains(c.Type, "unsigned") {
			k.param = "CAST(%s AS UNSIGNED)"
		}
	case server.KeyNumeric:
		k.param = "CAST(%s AS " + typ + ")"
	case server.KeyBytes:
		k.text, k.param = "HEX("+k.quoted+")", "UNHEX(%s)"
		k.stable = k.text
	case server.KeyTimestamp:
		k.param = "CAST(%s AS DATETIME(6))"
	case server.KeyDate:
		k.param = "CAST(%s AS DATE)"
	case server.KeyUUID:
		k.param = "CAST(%s AS UUID)"
	default:
		return errors.New("a column of this type cannot be part of an encryption context")
	}
	return nil
}

func (mysql) plain(quoted string, bytes bool) string {
	if bytes {
		return quoted
	}
	return "CAST(" + quoted + " AS CHAR)"
}

func (mysql) shard(texts []string, shard, n int) string {
	return fmt.Sprintf("MOD(CRC32(CONCAT_WS('/', %s)), %d) = %d", strings.Join(texts, ", "), n, shard)
}

// after is written out by columns: MySQL finds no range of an index for a
// comparison of rows. The first condition is the range.
func (mysql) after(key []keyColumn, _ int) string {
	var or []string
	for i := range key {
		var and []string
		for j := range i {
			and = append(and, key[j].quoted+" = "+fmt.Sprintf(key[j].param, "?"))
		}
		or = append(or, strings.Join(append(and, key[i].quoted+" > "+fmt.Sprintf(key[i].param, "?")), " AND "))
	}
	return key[0].quoted + " >= " + fmt.Sprintf(key[0].param, "?") + " AND ((" + strings.Join(or, ") OR (") + "))"
}

func (mysql) order(key []keyColumn) string {
	var by []string
	for _, k := range key {
		by = append(by, "t."+k.quoted)
	}
	return strings.Join(by, ", ")
}

// transaction is the default: an UPDATE sees what is committed at any level, and
// a server whose binary log is of statements refuses to write under others.
func (mysql) transaction() *sql.TxOptions { return nil }

func (mysql) write(ctx context.Context, tx *sql.Tx, t *target, changes []*change) ([]bool, error) {
	stmt, err := tx.PrepareContext(ctx, updateOne(t))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }() // the transaction's end closes it too
	done := make([]bool, len(changes))
	for i, c := range changes {
		var replaces, origin any
		if c.replaces != nil {
			replaces = c.replaces
		}
		if c.row.from != nil {
			origin = c.row.from
		}
		args := []any{c.value, replaces}
		if t.from != "" {
			args = append(args, origin)
		}
		for j := range t.key {
			args = append(args, c.row.key[j])
			if t.key[j].inexact {
				args = append(args, c.row.key[j])
			}
		}
		for j := range t.sources {
			var v any
			if !c.row.null[j] {
				v = c.row.sources[j]
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
	return done, nil
}

// updateOne compares bytes: a collation takes different base64 texts for equal.
func updateOne(t *target) string {
	where := []string{"CAST(" + t.value + " AS BINARY) <=> CAST(? AS BINARY)"}
	if t.from != "" {
		where = append(where, "CAST("+t.fromExpr+" AS BINARY) <=> CAST(? AS BINARY)")
	}
	for _, k := range t.key {
		where = append(where, k.quoted+" = "+fmt.Sprintf(k.param, "?"))
		if k.inexact {
			where = append(where, k.stable+" = CAST(? AS BINARY)")
		}
	}
	for _, k := range t.sources {
		where = append(where, k.quoted+" <=> "+fmt.Sprintf(k.param, "?"))
	}
	return "UPDATE " + t.relation + " SET " + t.value + " = ? WHERE " + strings.Join(where, " AND ")
}

// lag cannot be asked of the primary in MySQL.
func (mysql) lag(context.Context, *sql.DB) (time.Duration, error) {
	return 0, fmt.Errorf("%w: MySQL's primary does not know its replicas' lag; name a replica to ask", ErrConfig)
}

func (mysql) tryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	var got sql.NullInt64 // names are limited to 64 characters
	err := c.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('sealsql ', SHA1(CONCAT(COALESCE(DATABASE(), ''), '/', ?))), 0)", name).Scan(&got)
	return got.Int64 == 1, err
}

// unlock fails on servers older than MySQL 5.7 and MariaDB 10.5, where the
// connection's end gives up the lock.
func (mysql) unlock() string { return "DO RELEASE_ALL_LOCKS()" }

func (mysql) checkpointTable() string {
	return "CREATE TABLE IF NOT EXISTS sealsql_jobs (job varchar(250) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, owner varchar(64) NOT NULL, state longtext NOT NULL, changed_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)"
}

// transient recognises deadlocks, lock waits that timed out, and connections
// that went away.
func (mysql) transient(err error) bool {
	if e, ok := errors.AsType[*mysqldriver.MySQLError](err); ok {
		switch e.Number {
		case 1205, 1213, 1020, 1053, 1040, 1927: // lock wait, deadlock, changed row, shutdown, too many connections, killed
			return true
		}
		return false
	}
	return errors.Is(err, mysqldriver.ErrInvalidConn) || lost(err)
}

// lost reports whether the connection is gone.
func lost(err error) bool {
	var network net.Error
	return errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.As(err, &network)
}

// mysqlLag reads SHOW REPLICA STATUS, whose columns differ between versions.
func mysqlLag(ctx context.Context, replica *sql.DB) (time.Duration, error) {
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
			return 0, errors.New("rekey: the replica has stopped replicating; start it, or name another to ask")
		}
		worst = max(worst, time.Duration(seconds.Int64)*time.Second)
	}
	if err := rows.Err(); err != nil || channels > 0 {
		return worst, err
	}
	return 0, errNoReplica
}
