package postgres

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Moment implements [server.Values]. A text without a zone is a wall clock of the
// session's TimeZone, which the server reports to its clients.
func (w values) Moment(t policy.ValueType, v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		if t == policy.TypeDate && w.untyped() {
			return v.UTC(), nil
		}
	case string, []byte:
		if t == policy.TypeDate || zoned(v) == nil {
			return v, nil
		}
		name, known := w.zone()
		if !known {
			return v, nil
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil, errors.New("the session's TimeZone is unknown; write the value with its zone, such as Z or +01:00")
		}
		return server.ParseTime(server.TextOf(v), zone)
	}
	return v, nil
}

// zone is the name of the session's time zone. A connection that is busy says itself what
// it was before.
func (w values) zone() (name string, known bool) {
	switch c := server.Unwrap(w.base).(type) {
	case interface{ TimeZone() string }:
		return c.TimeZone(), true
	case interface{ Conn() *pgx.Conn }:
		return c.Conn().PgConn().ParameterStatus("TimeZone"), true
	}
	return "", false
}

// Show implements [server.Values]: pgx hands out a timestamptz in the process's zone.
func (values) Show(t policy.ValueType, v any) any {
	if at, ok := v.(time.Time); ok && t == policy.TypeTimestamp {
		return at.Local()
	}
	return v
}

// ShowsBytes implements [server.Values]: pgx hands out JSON as bytes.
func (values) ShowsBytes(t policy.ValueType) bool { return t == policy.TypeJSON }
