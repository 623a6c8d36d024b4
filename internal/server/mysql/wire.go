package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"reflect"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

// wireOf reads the settings of a go-sql-driver connection: known is false for
// another driver's. The settings are private; a test holds the names to the driver's
// version.
func wireOf(base any) (w server.Wire, known bool) {
	conn, ok := driverConn(base)
	if !ok {
		return w, false
	}
	cfg := config(conn)
	if cfg == nil {
		return w, false
	}
	truncate := reflect.ValueOf(cfg).Elem().FieldByName("timeTruncate")
	if !truncate.IsValid() || truncate.Kind() != reflect.Int64 {
		return w, false
	}
	w = server.Wire{Location: cfg.Loc, Truncate: time.Duration(truncate.Int()), ParsesTime: cfg.ParseTime, Interpolates: cfg.InterpolateParams}
	return w, true
}

// config reads the settings of a connection's struct, nil if it has none.
func config(conn reflect.Value) *mysql.Config {
	field := conn.FieldByName("cfg")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*mysql.Config]() || field.IsNil() {
		return nil
	}
	return (*mysql.Config)(field.UnsafePointer())
}

// driverConn is the struct of a driver's connection, beneath what wraps it.
func driverConn(base any) (conn reflect.Value, ok bool) {
	for {
		switch x := base.(type) {
		case interface{ Raw() sqldriver.Conn }:
			base = x.Raw()
			continue
		case interface{ Unwrap() any }:
			base = x.Unwrap()
			continue
		}
		break
	}
	conn = reflect.ValueOf(base)
	if conn.Kind() != reflect.Pointer || conn.IsNil() || conn.Elem().Kind() != reflect.Struct {
		return conn, false
	}
	return conn.Elem(), true
}

// probes are instants at which most zones differ from each other.
func probes() []any {
	var list []any
	for year := 1975; year <= 2035; year += 10 {
		for _, month := range []time.Month{time.January, time.April, time.July, time.October} {
			list = append(list, time.Date(year, month, 15, 12, 34, 56, 123456000, time.UTC))
		}
	}
	return list
}

// readWire learns how the connections of db write and read points in time. A driver
// that is not go-sql-driver's own is watched: its zone is known if it reads
// time.Time values, or if it writes like UTC or the process's own zone.
func readWire(ctx context.Context, db *sql.DB) (w server.Wire, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return w, err
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	known := false
	if err := conn.Raw(func(base any) error { w, known = wireOf(base); return nil }); err != nil || known {
		return w, err
	}
	var read any
	if err := conn.QueryRowContext(ctx, "SELECT CAST('2024-01-15 12:34:56' AS DATETIME)").Scan(&read); err != nil {
		return w, err
	}
	at, parsed := read.(time.Time)
	w.ParsesTime = parsed
	zones := []*time.Location{time.UTC, time.Local}
	if parsed {
		zones = []*time.Location{at.Location()}
	}
	for _, zone := range zones {
		if ok, err := writesIn(ctx, conn, zone); err != nil {
			return w, err
		} else if ok {
			w.Location = zone
			return w, nil
		}
	}
	w.Unknown = true
	return w, nil
}

// writesIn reports whether the connection writes instants as wall clocks of the zone.
func writesIn(ctx context.Context, conn *sql.Conn, zone *time.Location) (bool, error) {
	instants := probes()
	texts, into := make([]string, len(instants)), make([]any, len(instants))
	for i := range texts {
		into[i] = &texts[i]
	}
	columns := strings.Repeat(", CAST(? AS CHAR)", len(instants))[2:]
	if err := conn.QueryRowContext(ctx, "SELECT "+columns, instants...).Scan(into...); err != nil {
		return false, err
	}
	for i, at := range instants {
		if texts[i] != at.(time.Time).In(zone).Format("2006-01-02 15:04:05.999999") {
			return false, nil
		}
	}
	return true, nil
}
