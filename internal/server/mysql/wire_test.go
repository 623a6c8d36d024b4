package mysql

import (
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

// TestTheDriversSettingsAreRead from a private field, whose name may change with
// the driver's version.
func TestTheDriversSettingsAreRead(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]server.Wire{
		"app@tcp(db)/shop": {Location: time.UTC},
		"app@tcp(db)/shop?loc=Europe%2FBerlin&parseTime=true": {Location: berlin, ParsesTime: true},
		"app@tcp(db)/shop?timeTruncate=1ms":                   {Location: time.UTC, Truncate: time.Millisecond},
	}
	for dsn, want := range tests {
		connector, err := mysql.MySQLDriver{}.OpenConnector(dsn)
		if err != nil {
			t.Fatal(err)
		}
		got, known := wireOf(connector)
		if !known || got.Location.String() != want.Location.String() || got.Truncate != want.Truncate || got.ParsesTime != want.ParsesTime {
			t.Errorf("%s: %v, known %v; want %v", dsn, got, known, want)
		}
	}
	for _, foreign := range []any{nil, 7, "text", struct{ cfg *mysql.Config }{}, (*mysql.Config)(nil), &struct{ cfg int }{}, &struct{ cfg *mysql.Config }{}} {
		if w, known := wireOf(foreign); known {
			t.Errorf("a %T is taken for a connection of go-sql-driver: %v", foreign, w)
		}
	}
}
