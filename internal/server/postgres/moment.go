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
		conn, ok := server.Unwrap(w.base).(interface{ Conn() *pgx.Conn })
		if !ok {
			return v, nil
		}
		zone, err := time.LoadLocation(conn.Conn().PgConn().ParameterStatus("TimeZone"))
		if err != nil {
			return nil, errors.New("the session's TimeZone is unknown; write the value with its zone, such as Z or +01:00")
		}
		return server.ParseTime(server.TextOf(v), zone)
	}
	return v, nil
}

// ShowMoment implements [server.Values].
func (values) ShowMoment(_ policy.ValueType, at time.Time) any { return at }
