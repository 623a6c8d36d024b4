package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

const formsPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
tables:
  forms:
    row_key: [id]
    columns:
      s: {keyring: pii, type: string}
      n: {keyring: pii, type: int64}
      f: {keyring: pii, type: float64}
      b: {keyring: pii, type: bool}
      at: {keyring: pii, type: timestamp}
      day: {keyring: pii, type: date}
      amount: {keyring: pii, type: decimal}
      raw: {keyring: pii, type: bytes}
      u: {keyring: pii, type: uuid}
      doc: {keyring: pii, type: json}
`

// formsColumns are the twin's types, by the protected columns' names.
var formsColumns = map[string]map[string]string{
	"postgres": {"s": "text", "n": "bigint", "f": "double precision", "b": "boolean", "at": "timestamptz", "day": "date", "amount": "numeric", "raw": "bytea", "u": "uuid", "doc": "jsonb"},
	"mysql":    {"s": "varchar(100)", "n": "bigint", "f": "double", "b": "tinyint(1)", "at": "datetime(6)", "day": "date", "amount": "decimal(20,4)", "raw": "varbinary(100)", "u": "char(36)", "doc": "json"},
}

var formsNames = []string{"s", "n", "f", "b", "at", "day", "amount", "raw", "u", "doc"}

// forms is a table whose columns are all protected, and its twin in clear.
type forms struct {
	*site
	dbs [2]*sql.DB // protected, twin
}

func newForms(t *testing.T, s *site, settings string) *forms {
	t.Helper()
	p, err := policy.Parse("test", []byte(formsPolicy))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := kms()
	f := &forms{site: s}
	for i := range f.dbs {
		name := s.server.NewDatabase(t)
		var columns strings.Builder
		for _, c := range formsNames {
			kind := formsColumns[s.server.Name][c]
			if i == 0 {
				kind = map[string]string{"postgres": "bytea", "mysql": "blob"}[s.server.Name]
			}
			columns.WriteString(", " + c + " " + kind)
		}
		if _, err := s.server.Open(t, name).Exec("CREATE TABLE forms (id bigint PRIMARY KEY, name varchar(20)" + columns.String() + ")"); err != nil {
			t.Fatal(err)
		}
		bare, dsn := s.server.DSN(s.proxy.Addr(), name)
		if settings != "" {
			dsn += "&" + settings
		}
		if i == 0 {
			f.dbs[i] = open(t, bare, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert))
		} else {
			f.dbs[i] = openBare(t, bare, dsn)
		}
		for id, row := range [][]any{{ssn1, 42, 1.5, true, time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC), "2024-02-29", "12.5000", []byte{0, 1, 255}, "6f1b3c52-7a0e-4b0e-9a5e-0d5a3e1f2a3b", `{"a": 1}`},
			make([]any, len(formsNames)), {"", 0, 0.0, false, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), "1999-12-31", "0.0000", []byte{}, "00000000-0000-0000-0000-000000000000", `[]`}} {
			args := append([]any{id + 1, fmt.Sprint("row", id+1)}, row...)
			if _, err := f.dbs[i].Exec(s.q("INSERT INTO forms (id, name, "+strings.Join(formsNames, ", ")+") VALUES (?"+strings.Repeat(", ?", len(args)-1)+")"), args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// same compares what a call does on both databases.
func (f *forms) same(what string, call func(db *sql.DB) string) {
	f.t.Helper()
	want := call(f.dbs[1])
	if got := call(f.dbs[0]); got != want {
		f.t.Errorf("%s:\n got: %s\nwant: %s", what, got, want)
	}
}

// destinations makes new variables to scan into.
var destinations = map[string]func() any{
	"string": func() any { return new(string) }, "[]byte": func() any { return new([]byte) }, "any": func() any { return new(any) }, "RawBytes": func() any { return new(sql.RawBytes) },
	"int64": func() any { return new(int64) }, "int8": func() any { return new(int8) }, "uint64": func() any { return new(uint64) }, "float64": func() any { return new(float64) }, "bool": func() any { return new(bool) },
	"time.Time": func() any { return new(time.Time) }, "*string": func() any { return new(*string) }, "*int64": func() any { return new(*int64) }, "*time.Time": func() any { return new(*time.Time) },
	"NullString": func() any { return new(sql.NullString) }, "NullInt64": func() any { return new(sql.NullInt64) }, "NullFloat64": func() any { return new(sql.NullFloat64) }, "NullBool": func() any { return new(sql.NullBool) },
	"NullTime": func() any { return new(sql.NullTime) }, "Null[string]": func() any { return new(sql.Null[string]) }, "Null[any]": func() any { return new(sql.Null[any]) }, "nil": func() any { return nil },
}

// TestScanDestinations: a value of each type scans into each Go type as the twin's does, or
// fails as it does.
func TestScanDestinations(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		settings := []string{""}
		if !s.postgres() {
			settings = append(settings, "parseTime=true", "interpolateParams=true")
		}
		ran := 0
		for _, set := range settings {
			f := newForms(t, s, set)
			for _, c := range formsNames {
				for to, destination := range destinations {
					for _, text := range []string{"SELECT " + c + " FROM forms WHERE id = ?", "SELECT " + c + " AS x, id FROM forms WHERE id <= ? ORDER BY id"} {
						for id := range 3 {
							ran++
							f.same(fmt.Sprintf("%s: %s of row %d into %s: %s", set, c, id+1, to, text), func(db *sql.DB) string {
								rows, err := db.Query(s.q(text), id+1)
								if err != nil {
									return fmt.Sprint("query: ", class(err))
								}
								defer rows.Close()
								out := ""
								for rows.Next() {
									list := []any{destination(), new(any)}
									columns, _ := rows.Columns()
									out += scanned(rows.Scan(list[:len(columns)]...), list[0]) + "; "
								}
								return out + fmt.Sprint(rows.Err())
							})
						}
					}
				}
			}
		}
		if want := len(settings) * len(formsNames) * len(destinations) * 6; ran != want {
			t.Errorf("%d cases ran, want %d", ran, want)
		}
	})
}

func scanned(err error, into any) string {
	if err != nil {
		return "error"
	}
	switch v := into.(type) {
	case **string:
		if *v != nil {
			return "*" + **v
		}
		return "<nil>"
	case **int64:
		if *v != nil {
			return fmt.Sprint("*", **v)
		}
		return "<nil>"
	case **time.Time:
		if *v != nil {
			return "*" + (*v).String()
		}
		return "<nil>"
	case *any:
		return fmt.Sprintf("%T %v", *v, *v)
	case *time.Time:
		return v.String()
	case *[]byte:
		return fmt.Sprintf("%t %q", *v == nil, *v)
	case nil:
		return "nothing"
	}
	return fmt.Sprintf("%+v", reflect.ValueOf(into).Elem())
}

// TestABoolIsTheTwinsType: on MySQL a bool is a TINYINT to whatever asks for its type.
func TestABoolIsTheTwinsType(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		newForms(t, s, "").same("the type of a bool", func(db *sql.DB) string {
			rows, err := db.Query("SELECT b FROM forms")
			if err != nil {
				return err.Error()
			}
			defer rows.Close()
			types, err := rows.ColumnTypes()
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(types[0].ScanType(), types[0].DatabaseTypeName())
		})
	})
}

// callForms are ways of database/sql to send a text.
var callForms = map[string]func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error){
	"DB.Query": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		rows, err := db.QueryContext(ctx, text, args...)
		return rows, nil, nil, err
	},
	"DB.Exec": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		res, err := db.ExecContext(ctx, text, args...)
		return nil, res, nil, err
	},
	"Stmt.Query": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, nil, nil, err
		}
		rows, err := stmt.QueryContext(ctx, args...)
		return rows, nil, func() { _ = stmt.Close() }, err
	},
	"Stmt.Exec": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, nil, nil, err
		}
		res, err := stmt.ExecContext(ctx, args...)
		return nil, res, func() { _ = stmt.Close() }, err
	},
	"Tx.Stmt": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, nil, nil, err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		rows, err := tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
		return rows, nil, func() { _ = tx.Commit(); _ = stmt.Close() }, err
	},
	"read-only Tx": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return nil, nil, nil, err
		}
		rows, err := tx.QueryContext(ctx, text, args...)
		return rows, nil, func() { _ = tx.Rollback() }, err
	},
	"serializable Tx": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err != nil {
			return nil, nil, nil, err
		}
		res, err := tx.ExecContext(ctx, text, args...)
		return nil, res, func() { _ = tx.Commit() }, err
	},
	"Conn.Query": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		rows, err := conn.QueryContext(ctx, text, args...)
		return rows, nil, func() { _ = conn.Close() }, err
	},
	"cancelled": func(ctx context.Context, db *sql.DB, text string, args []any) (*sql.Rows, sql.Result, func(), error) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		rows, err := db.QueryContext(ctx, text, args...)
		return rows, nil, nil, err
	},
}

// formTexts are statements of each route; {c} is the protected column.
var formTexts = []struct {
	text string
	args []any
}{
	{"SELECT s FROM forms ORDER BY id", nil},
	{"SELECT s FROM forms WHERE id = ?", []any{1}},
	{"  /* a comment */ SELECT s FROM forms WHERE id = ? ; ", []any{2}},
	{"(SELECT s FROM forms WHERE id = ?)", []any{3}},
	{"SELECT s FROM forms WHERE id = ?", []any{99}},
	{"SELECT s FROM forms WHERE id = ?", nil},
	{"SELECT s FROM forms WHERE id = ?", []any{1, 2}},
	{"SELECT nothing FROM forms WHERE id = ?", []any{1}},
	{"SELECT s FROM nowhere WHERE id = ?", []any{1}},
	{"UPDATE forms SET s = ? WHERE id = ?", []any{"new", 1}},
	{"UPDATE forms SET s = ? WHERE name = ?", []any{"by name", "row2"}},
	{"UPDATE forms SET s = ? WHERE name = ?", []any{"by name", "no such row"}},
	{"UPDATE forms SET s = 'a literal' WHERE id > 0", nil},
	{"INSERT INTO forms (id, s) VALUES (?, ?)", []any{10, "inserted"}},
	{"INSERT INTO forms (id, s) VALUES (?, ?)", []any{1, "a key that is there"}},
	{"INSERT INTO forms (id, s, n) VALUES (?, ?, ?)", []any{11, nil, "not a number"}},
	{"DELETE FROM forms WHERE id = ?", []any{3}},
}

// TestCallForms: a statement that is sent in each of database/sql's ways returns the rows,
// the result and the kind of error that the twin's does, and leaves the same table.
func TestCallForms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		ran := 0
		for name, call := range callForms {
			f := newForms(t, s, "")
			for _, c := range formTexts {
				ran++
				if !s.postgres() && execs[name] && reads(strings.TrimLeft(c.text, " (/*acoment")) {
					continue // see TestRowsThatExecDrops
				}
				f.same(fmt.Sprintf("%s: %s %v", name, c.text, c.args), func(db *sql.DB) string {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					rows, res, end, err := call(ctx, db, s.q(c.text), c.args)
					out := answeredWith(rows, res, err)
					if end != nil {
						end()
					}
					return out + tableOf(db)
				})
			}
		}
		if want := len(callForms) * len(formTexts); ran != want {
			t.Errorf("%d cases ran, want %d", ran, want)
		}
	})
}

// execs are the ways that return no rows.
var execs = map[string]bool{"DB.Exec": true, "Stmt.Exec": true, "serializable Tx": true}

// TestRowsThatExecDrops: Exec of a prepared statement that returns rows ends, whatever the
// numbers of its columns and rows. go-sql-driver by itself waits for ever on MariaDB for
// some: it takes rows for columns that the server does not describe again.
func TestRowsThatExecDrops(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		db := newForms(t, s, "").dbs[0]
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, columns := range []string{"s", "id, s", "s, n, doc, id"} {
			stmt, err := db.PrepareContext(ctx, s.q("SELECT "+columns+" FROM forms WHERE id > ?"))
			if err != nil {
				t.Fatal(err)
			}
			for _, from := range []int{99, 2, 1, 0, 99} {
				if _, err := stmt.ExecContext(ctx, from); err != nil {
					t.Fatalf("%s, from %d: %v", columns, from, err)
				}
			}
			if err := stmt.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// answeredWith spells what a call returned.
func answeredWith(rows *sql.Rows, res sql.Result, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled\n"
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone), errors.Is(err, sql.ErrConnDone):
		return err.Error() + "\n"
	case err != nil:
		return "an error\n"
	case res != nil:
		n, err := res.RowsAffected()
		id, _ := res.LastInsertId()
		return fmt.Sprintln("affected", n, err, "id", id)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	out := fmt.Sprintln(columns, err)
	for rows.Next() {
		list := make([]any, len(columns))
		for i := range list {
			list[i] = new(sql.NullString)
		}
		if err := rows.Scan(list...); err != nil {
			return out + "scan fails\n"
		}
		for _, v := range list {
			out += v.(*sql.NullString).String + "|"
		}
		out += "\n"
	}
	if rows.Err() != nil {
		out += "rows fail\n"
	}
	return out + fmt.Sprintln("another set", rows.NextResultSet())
}

func tableOf(db *sql.DB) string {
	rows, err := db.Query("SELECT id, name, s, n FROM forms ORDER BY id")
	return answeredWith(rows, nil, err)
}
