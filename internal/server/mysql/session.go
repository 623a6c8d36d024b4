package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/server"
	planner "github.com/sealsql/sealsql/internal/sqlplan/mysql"
)

// sessionSQL reads what no text of the user's need have set: the DSN, init_connect,
// global variables and stored programs set it too. The database's name comes in
// hexadecimal, which every character set of results leaves as it is.
const sessionSQL = "SELECT @@SESSION.sql_mode, @@SESSION.auto_increment_increment, @@SESSION.sql_auto_is_null, @@SESSION.max_allowed_packet, COALESCE(HEX(CONVERT(DATABASE() USING utf8mb4)), ''), " +
	"LOWER(@@SESSION.character_set_client), LOWER(@@SESSION.character_set_connection), LOWER(COALESCE(@@SESSION.character_set_results, 'binary')) LIMIT 1" // sql_select_limit may be 0

// Session implements [server.Server].
func (Server) Session(ctx context.Context, db *sql.DB) (server.Session, error) {
	s := server.Session{}
	var database, connection string
	err := db.QueryRowContext(ctx, sessionSQL).Scan(&s.SQLMode, &s.AutoIncrementIncrement, &s.AutoIsNull, &s.MaxPacket, &database, &s.Charset, &connection, &s.Results)
	if err != nil {
		return s, fmt.Errorf("%w: reading the session's settings: %w", fault.ErrCatalog, err)
	}
	name, err := hex.DecodeString(database)
	if err != nil {
		return s, fmt.Errorf("%w: reading the session's database: it is not hexadecimal", fault.ErrCatalog)
	}
	s.Database = string(name)
	s.Path = s.Database
	switch {
	case !planner.ReadableCharset(s.Charset):
		s.Unfit = "the session's character_set_client is " + s.Charset + ", in which bytes of ASCII may be part of other characters"
		s.Hint = "use charset=utf8mb4 in the DSN, or SET NAMES utf8mb4"
	case connection != s.Charset && connection != "binary" && s.Charset != "binary":
		s.Unfit = "the session's character_set_connection is not its character_set_client: the server would convert ciphertexts as if they were text"
		s.Hint = "use SET NAMES, which sets both"
	}
	s.Charset = other(s.Charset)
	if s.Results == "utf8mb4" { // without a set, results are in those of their columns
		s.Results = ""
	}
	if s.Wire, err = readWire(ctx, db); err != nil {
		return s, fmt.Errorf("%w: learning how the driver writes points in time: %w", fault.ErrCatalog, err)
	}
	return s, nil
}

// other is a character set, or empty for the one that Go's strings have. Bytes that
// the server takes and gives as they are count as that.
func other(charset string) string {
	if charset == "utf8mb4" || charset == "binary" {
		return ""
	}
	return charset
}

// Bits of the status that the servers send with each answer.
const (
	statusInTransaction      = 1 << 0
	statusAutocommit         = 1 << 1
	statusNoBackslashEscapes = 1 << 9
)

// status returns the status that the server sent with its last answer that was not an
// error; known is false for another driver's connection.
func status(base any) (bits uint64, known bool) {
	conn, ok := driverConn(base)
	if !ok {
		return 0, false
	}
	field := conn.FieldByName("status")
	if !field.IsValid() || field.Kind() != reflect.Uint16 {
		return 0, false
	}
	return field.Uint(), true
}

// Reported implements [server.Server]: the servers report one mode with each answer.
func (Server) Reported(base sqldriver.Conn, s server.Session) bool {
	bits, known := status(base)
	return !known || bits&statusNoBackslashEscapes != 0 == strings.Contains(s.SQLMode, "NO_BACKSLASH_ESCAPES")
}

// Settled implements [server.Server]: variables of the session are no part of a
// transaction.
func (Server) Settled(sqldriver.Conn) bool { return true }

// Resets implements [server.Server]: go-sql-driver takes no such function.
func (Server) Resets(sqldriver.Connector) bool { return false }

// Transaction ends a transaction whatever completion_type says, under which COMMIT
// alone may begin another. START TRANSACTION releases table locks; a
// transaction without autocommit does not.
func (Server) Transaction(base sqldriver.Conn, locked bool) server.Transaction {
	if _, known := status(base); !known {
		return server.Transaction{}
	}
	t := server.Transaction{Keeps: true, Survives: true, Commit: "COMMIT AND NO CHAIN NO RELEASE", Rollback: "ROLLBACK AND NO CHAIN NO RELEASE"}
	if locked {
		t.Begin, t.After = "SET autocommit = 0", "SET autocommit = 1"
	}
	return t
}

// errNoSavepoint is ER_SP_DOES_NOT_EXIST.
const errNoSavepoint = 1305

// InTransaction goes by the status that the server sent, as far as it is certain.
// An error may hide that a transaction began, or ended. Without autocommit every statement is
// part of one. Else it sets a savepoint: outside a transaction the server forgets it
// at once, which releasing it then shows. That works on every MySQL and MariaDB,
// for transactions begun in any way, and needs no privilege.
func (Server) InTransaction(ctx context.Context, c sqldriver.Conn, doubt bool) (bool, error) {
	x, ok := server.Unwrap(c).(sqldriver.ExecerContext)
	if !ok {
		return false, nil
	}
	if bits, known := status(c); known && !doubt {
		switch {
		case bits&statusAutocommit == 0:
			return true, nil
		case bits&statusInTransaction == 0:
			return false, nil
		}
	}
	if _, err := x.ExecContext(ctx, "SAVEPOINT sealsql_probe", nil); err != nil {
		return false, err
	}
	_, err := x.ExecContext(ctx, "RELEASE SAVEPOINT sealsql_probe", nil)
	if me, ok := errors.AsType[*mysql.MySQLError](err); ok && me.Number == errNoSavepoint {
		return false, nil
	}
	return err == nil, err
}

// Recount implements [server.Server].
func (Server) Recount(text string, s server.Session, rows int64) (string, []server.Call) {
	calls := planner.RowCounts(text, planner.Options{SQLMode: s.SQLMode})
	list := make([]server.Call, len(calls))
	for i, at := range slices.Backward(calls) {
		// ROW_COUNT() is a BIGINT, as MariaDB takes numbers of so many digits for. Blanks make
		// each call another text.
		list[i] = server.Call{Written: text[at[0]:at[1]], Sent: fmt.Sprintf("CAST(%018d%s AS SIGNED)", rows, strings.Repeat(" ", i))}
		text = text[:at[0]] + list[i].Sent + text[at[1]:]
	}
	return text, list
}
