package integration

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// odd is a Valuer that returns what it is told to.
type odd struct {
	value any
	err   error
}

func (o odd) Value() (sqldriver.Value, error) { return o.value, o.err }

type named string

// TestArgumentsOfEveryKind: a protected value is what the argument says, or an error;
// it is never sent as it is, and no error holds it.
func TestArgumentsOfEveryKind(t *testing.T) {
	tokyo := time.FixedZone("", 9*3600)
	text := ssn1
	pointer := &text
	const fails = "(fails)"
	list := []struct {
		column string
		arg    any
		want   string
	}{
		{"s", named(ssn1), ssn1}, {"s", &pointer, ssn1}, {"s", (*string)(nil), "<nil>"}, {"s", sql.RawBytes(ssn1), ssn1},
		{"s", sql.NullString{String: ssn1, Valid: true}, ssn1}, {"s", sql.Null[string]{V: ssn1, Valid: true}, ssn1},
		{"s", sql.Null[string]{}, "<nil>"}, {"s", sql.Null[int]{V: 5, Valid: true}, "5"},
		{"s", (*absent)(nil), "7"}, {"s", (*odd)(nil), "<nil>"},
		{"s", odd{value: ssn1}, ssn1}, {"s", odd{value: int64(42)}, "42"}, {"s", odd{}, "<nil>"},
		{"s", odd{value: odd{value: ssn1}}, fails}, {"s", odd{value: []string{ssn1}}, fails}, {"s", odd{err: errors.New("no")}, fails},
		{"s", json.RawMessage(`"` + ssn1 + `"`), `"` + ssn1 + `"`}, {"s", []string{ssn1}, fails}, {"s", map[string]string{"a": ssn1}, fails},
		{"s", struct{ A string }{ssn1}, fails}, {"s", true, fails}, {"s", ssn1 + "\xff", fails}, {"s", sql.Out{Dest: &text}, fails},
		{"s", pgtype.Text{String: ssn1, Valid: true}, ssn1}, {"s", pgtype.Text{}, "<nil>"}, {"s", pgtype.FlatArray[string]{ssn1}, fails},
		{"i", pgtype.Int8{Int64: 7000000001, Valid: true}, "7000000001"}, {"i", uint64(1 << 63), fails}, {"i", 7.0, "7"}, {"i", 7.5, fails},
		{"i", big.NewInt(7), fails}, {"i", json.Number("7"), "7"}, {"i", "x", fails},
		{"ts", time.Date(2026, 1, 2, 3, 4, 5, 6, tokyo), "2026-01-01 18:04:05.000000006 +0000 UTC"},
		{"ts", pgtype.Timestamptz{Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, tokyo), Valid: true}, "2026-01-01 18:04:05.000006 +0000 UTC"},
		{"ts", pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, fails}, {"ts", "2026-01-02T03:04:05+09:00", "2026-01-01 18:04:05 +0000 UTC"},
		{"ts", "now", fails}, {"d", time.Date(2026, 1, 2, 1, 0, 0, 0, tokyo), "2026-01-02 00:00:00 +0000 UTC"},
		{"n", pgtype.Numeric{Int: big.NewInt(1250), Exp: -2, Valid: true}, "12.50"}, {"n", pgtype.Numeric{NaN: true, Valid: true}, fails}, {"n", "1.250", "1.250"},
		{"u", pgtype.UUID{Bytes: [16]byte{1, 2}, Valid: true}, "01020000-0000-0000-0000-000000000000"}, {"u", make([]byte, 16), "00000000-0000-0000-0000-000000000000"}, {"u", "x", fails},
		{"j", json.RawMessage(`{"a":  1}`), `{"a":  1}`}, {"j", json.RawMessage(nil), "<nil>"}, {"j", []byte("null"), "null"}, {"j", "no", fails},
		{"b", []byte{}, "[]"}, {"b", []byte(nil), "<nil>"}, {"b", pgtype.PreallocBytes("x"), "[120]"}, {"b", 5, fails},
	}
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, "7000000001"); err != nil {
			t.Fatal(err)
		}
		types := map[string]string{"s": "string", "i": "int64", "ts": "timestamp", "d": "date", "n": "decimal", "u": "uuid", "j": "json", "b": "bytes"}
		create, columns := "CREATE TABLE args (id bigint PRIMARY KEY", ""
		for name, typ := range types {
			create += ", " + name + map[bool]string{true: " bytea", false: " blob"}[s.postgres()]
			columns += name + ": {keyring: pii, type: " + typ + "}, "
		}
		s.set(create + ")")
		s.protect("  args: {row_key: [id], columns: {" + columns + "}}\n")
		ran := 0
		for id, c := range append(list, list...) {
			ran++
			if _, ok := c.arg.(time.Time); ok && c.column == "d" && !s.postgres() {
				c.want = "2026-01-01 00:00:00 +0000 UTC" // go-sql-driver writes the day of its loc
			}
			if _, ok := c.arg.(*big.Int); ok && s.postgres() {
				c.want = "7" // pgx writes a fmt.Stringer as its text
			}
			if o, ok := c.arg.(odd); ok && s.postgres() {
				if _, again := o.value.(odd); again {
					c.want = ssn1 // pgx asks on
				}
			}
			err := insertArgument(s, id, c.column, c.arg, ran > len(list))
			if c.want == fails {
				if err == nil || strings.Contains(err.Error(), ssn1) || s.postgres() && !errors.Is(err, driver.ErrValue) {
					t.Errorf("%s, %T: %v", c.column, c.arg, err)
				}
				continue
			}
			var got any
			if err == nil {
				err = s.sealed.QueryRow(s.q("SELECT "+c.column+" FROM args WHERE id = ?"), id).Scan(&got)
			}
			switch v := got.(type) {
			case []byte:
				if c.column != "b" { // text, as go-sql-driver reads it
					got = string(v)
				}
			case time.Time:
				got = v.UTC()
			}
			if err != nil || fmt.Sprint(got) != c.want {
				t.Errorf("%s, %T: %v, %v; want %s", c.column, c.arg, got, err, c.want)
			}
		}
		if ran != 106 {
			t.Errorf("ran %d arguments", ran)
		}
	})
}

// insertArgument writes a row of table args, by a prepared statement or not.
func insertArgument(s *site, id int, column string, arg any, prepared bool) error {
	text := s.q("INSERT INTO args (id, " + column + ") VALUES (?, ?)")
	if !prepared {
		_, err := s.sealed.Exec(text, id, arg)
		return err
	}
	stmt, err := s.sealed.Prepare(text)
	if err != nil {
		return err
	}
	_, err = stmt.Exec(id, arg)
	return errors.Join(err, stmt.Close())
}

// TestOptionsOfPgxBeforeTheArguments reach it, in every mode.
func TestOptionsOfPgxBeforeTheArguments(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	if err := s.proxy.Watch(ssn1, ssn2); err != nil {
		t.Fatal(err)
	}
	const insert, update = "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)", "UPDATE accounts SET ssn = $2 WHERE account_number >= $1"
	for _, mode := range []any{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		s.exec(insert, mode, "m1", ssn1)
		s.want(ssn1, "SELECT ssn FROM accounts WHERE account_number = $1", mode, "m1")
		s.affected(1, update, mode, "m", ssn2)
		s.want(ssn2, "SELECT ssn FROM accounts WHERE account_number = @id", mode, pgx.NamedArgs{"id": "m1"})
		s.exec("DELETE FROM accounts")
	}
	for _, args := range []any{pgx.NamedArgs{"id": "m1", "ssn": ssn1}, pgx.StrictNamedArgs{"id": "m1", "ssn": ssn1}} {
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES (@id, @ssn)", args)
		s.affected(1, "UPDATE accounts SET ssn = @ssn WHERE account_number LIKE @id", args)
		s.want(ssn1, "SELECT ssn FROM accounts")
		s.exec("DELETE FROM accounts")
	}
}

// TestBulkLoads of protected columns are refused; of others, they are the base driver's.
func TestBulkLoads(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('b1', ?)", ssn1)
		refused := []string{"LOAD DATA LOCAL INFILE 'Reader::accounts' INTO TABLE accounts", "LOAD DATA LOCAL INFILE 'Reader::accounts' INTO TABLE accounts (account_number, ssn)",
			"LOAD DATA LOCAL INFILE 'Reader::accounts' INTO TABLE accounts (account_number, @x) SET ssn = @x", "LOAD XML LOCAL INFILE 'Reader::accounts' INTO TABLE accounts",
			"LOAD DATA INFILE '/accounts.csv' REPLACE INTO TABLE `accounts` FIELDS TERMINATED BY ','"}
		if s.postgres() {
			refused = []string{"COPY accounts FROM STDIN", "COPY accounts (account_number, ssn) FROM STDIN", "COPY public.accounts (\"ssn\") TO STDOUT",
				"COPY (SELECT ssn FROM accounts) TO STDOUT", "COPY (TABLE accounts) TO '/tmp/accounts'"}
		}
		for _, text := range refused {
			if _, err := s.sealed.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if s.postgres() {
			s.exec("COPY accounts (account_number, name) TO STDOUT")
		} else {
			mysql.RegisterReaderHandler("accounts", func() io.Reader { return strings.NewReader("b2\tBo\n") })
			defer mysql.DeregisterReaderHandler("accounts")
			s.affected(1, "LOAD DATA LOCAL INFILE 'Reader::accounts' INTO TABLE accounts (account_number, name)")
			s.want("b1|"+ssn1+"\nb2|<nil>", "SELECT account_number, ssn FROM accounts ORDER BY 1")
		}
	})
}
