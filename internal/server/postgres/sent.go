package postgres

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/server"
)

// oids are the types as which pgx encodes an argument for a column, where the server
// described the statement.
var oids = map[server.KeyType]uint32{
	server.KeyText: pgtype.TextOID, server.KeyPaddedText: pgtype.BPCharOID, server.KeyInteger: pgtype.Int8OID, server.KeyNumeric: pgtype.NumericOID,
	server.KeyBool: pgtype.BoolOID, server.KeyUUID: pgtype.UUIDOID, server.KeyBytes: pgtype.ByteaOID,
}

// Sent implements [server.Values]. pgx asks a TextValuer before a driver.Valuer, takes a
// named number for its number, and a fmt.Stringer for its text if nothing else fits;
// in the modes that know no types it writes []byte as the text of a bytea.
func (w values) Sent(t server.KeyType, v any) (any, error) {
	switch x := v.(type) {
	case nil, int64, float64, bool, time.Time:
		return v, nil
	case string:
		if t == server.KeyBytes {
			return byteaOf(x)
		}
		return v, nil
	case []byte:
		if x != nil && t != server.KeyBytes && w.untyped() {
			return fmt.Sprintf(`\x%x`, x), nil
		}
		return v, nil
	case pgtype.TextValuer:
	case sqldriver.Valuer:
		plain, err := valueOf(x)
		if err != nil {
			return nil, err
		}
		return w.Sent(t, plain)
	}
	oid, known := oids[t]
	if !known {
		return v, nil
	}
	if w.untyped() {
		oid = 0
	}
	text, err := w.types().Encode(oid, pgtype.TextFormatCode, v, []byte{})
	switch {
	case err != nil:
		return nil, server.Unfit(v, "the column's type") // err may quote the value
	case text == nil:
		return nil, nil
	case t == server.KeyBytes:
		return byteaOf(string(text))
	}
	return string(text), nil
}

// valueOf asks a Valuer as pgx does, and one that it answers with, too.
func valueOf(v sqldriver.Valuer) (any, error) {
	var plain any = v
	for range mostValuers {
		valuer, asks := plain.(sqldriver.Valuer)
		if !asks {
			return plain, nil
		}
		answer, err := server.Ask(valuer)
		if err != nil {
			return nil, err
		}
		plain = answer
	}
	return nil, server.Unfit(plain, "a driver.Value")
}

// mostValuers bounds how many Valuers answer with another. pgx has no bound.
const mostValuers = 8

func byteaOf(text string) (any, error) {
	digits, err := canonicalBytea(text)
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(digits)
}

// conn is the connection of pgx beneath, nil if there is none.
func (w values) conn() *pgx.Conn {
	if c, ok := server.Unwrap(w.base).(interface{ Conn() *pgx.Conn }); ok {
		return c.Conn()
	}
	return nil
}

// types are the types that the connection knows.
func (w values) types() *pgtype.Map {
	if c := w.conn(); c != nil {
		return c.TypeMap()
	}
	return pgtype.NewMap()
}

// untyped reports whether the statement is sent in one of pgx's modes that do not ask
// for the parameters' types. A time.Time for a column without a zone is then written as
// the wall clock of UTC; in the other modes the wall clock is the value's own.
func (w values) untyped() bool {
	mode := modeOf(w.conn(), w.options)
	return mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol
}

// modeOf is the mode in which a connection, which may be nil, sends a statement.
func modeOf(c *pgx.Conn, options []sqldriver.NamedValue) pgx.QueryExecMode {
	for i := len(options) - 1; i >= 0; i-- {
		if m, ok := options[i].Value.(pgx.QueryExecMode); ok {
			return m
		}
	}
	if c == nil {
		return pgx.QueryExecModeCacheStatement
	}
	return c.Config().DefaultQueryExecMode
}
