package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/server"
)

// sessionSQL names pg_catalog, since a user's own function may come before its.
const sessionSQL = `SELECT pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.current_setting('client_encoding'),
pg_catalog.current_setting('search_path'), pg_catalog.concat_ws(' ', pg_catalog.current_schemas(true)::text, CURRENT_USER, NULLIF(pg_catalog.pg_my_temp_schema(), 0))`

// Session implements [server.Server].
func (Server) Session(ctx context.Context, db *sql.DB) (server.Session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return server.Session{}, err
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	var options []any
	err = conn.Raw(func(base any) error {
		if c := pgxConn(base); c != nil {
			readBytea(c)
			options = []any{pgx.QueryExecModeExec} // one exchange, and nothing is prepared
			if c.Config().RuntimeParams["replication"] != "" {
				options[0] = pgx.QueryExecModeSimpleProtocol // such a connection takes nothing else
			}
		}
		return nil
	})
	if err != nil {
		return server.Session{}, err
	}
	var s server.Session
	var conforming, encoding string
	if err := conn.QueryRowContext(ctx, sessionSQL, options...).Scan(&conforming, &encoding, &s.SearchPath, &s.Path); err != nil {
		return server.Session{}, fmt.Errorf("%w: reading the session's settings: %w", fault.ErrCatalog, err)
	}
	s.Unfit, s.Hint = unfit(conforming, encoding)
	s.Charset = other(encoding)
	s.Results = s.Charset
	return s, nil
}

// mixed are the encodings in which a byte of ASCII may be part of another character.
var mixed = map[string]bool{"SJIS": true, "BIG5": true, "GBK": true, "UHC": true, "GB18030": true, "JOHAB": true, "SHIFT_JIS_2004": true}

// unfit says why sealsql cannot read texts under two settings, and what to do.
func unfit(conforming, encoding string) (what, hint string) {
	switch {
	case conforming != "on":
		return "the server's standard_conforming_strings is off, under which sealsql cannot read string literals",
			"set it to on for the session, for the role or in the DSN's options"
	case encoding != "UTF8" && mixed[strings.ToUpper(encoding)]:
		return "the session's client_encoding is " + encoding + ", in which bytes of ASCII may be part of other characters", "use client_encoding UTF8"
	}
	return "", ""
}

// other is an encoding, or empty for the one that Go's strings have. Under SQL_ASCII
// the server takes and gives bytes as they are.
func other(encoding string) string {
	if encoding = strings.ToLower(encoding); encoding == "utf8" || encoding == "sql_ascii" {
		return ""
	}
	return encoding
}

// pgxConn returns the connection of pgx, or nil if it is another driver's.
func pgxConn(base any) *pgx.Conn {
	if x, ok := server.Unwrap(base).(interface{ Conn() *pgx.Conn }); ok {
		return x.Conn()
	}
	return nil
}

// Reported implements [server.Server]: the server reports each change of how it reads
// texts, and from Postgres 18 on each of the search path.
func (Server) Reported(base sqldriver.Conn, s server.Session) bool {
	c := pgxConn(base)
	if c == nil {
		return true
	}
	conforming, encoding, path := c.PgConn().ParameterStatus("standard_conforming_strings"), c.PgConn().ParameterStatus("client_encoding"), c.PgConn().ParameterStatus("search_path")
	what, _ := unfit(conforming, encoding)
	return conforming == "" || encoding == "" || what == s.Unfit && other(encoding) == s.Charset && (path == "" || path == s.SearchPath)
}

// Settled implements [server.Server]: the end of a transaction, and of part of it, may
// take settings back.
func (s Server) Settled(base sqldriver.Conn) bool {
	open, err := s.InTransaction(context.Background(), base, false)
	return err == nil && !open
}

// Resets implements [server.Server]: the function of stdlib.OptionResetSession is a field
// of pgx's connector, which has one that does nothing without the option.
func (Server) Resets(base sqldriver.Connector) bool {
	own, none := resetSession(base), resetSession(stdlib.GetConnector(pgx.ConnConfig{}))
	return own.IsValid() && none.IsValid() && own.Pointer() != none.Pointer()
}

func resetSession(base sqldriver.Connector) reflect.Value {
	v := reflect.ValueOf(base)
	if v.Kind() != reflect.Struct || v.Type() != reflect.TypeOf(stdlib.GetConnector(pgx.ConnConfig{})) {
		return reflect.Value{}
	}
	return v.FieldByName("ResetSession")
}

// Transaction implements [server.Server]: pgx's own serve.
func (Server) Transaction(sqldriver.Conn, bool) server.Transaction { return server.Transaction{} }

// InTransaction asks the connection's own state, which the server reports
// with every answer, an error too.
func (Server) InTransaction(_ context.Context, c sqldriver.Conn, _ bool) (bool, error) {
	if x := pgxConn(c); x != nil {
		return x.PgConn().TxStatus() != 'I', nil
	}
	return false, nil
}
