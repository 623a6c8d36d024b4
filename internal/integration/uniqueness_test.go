package integration

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const uniquePolicy = `
version: 1
keyrings:
  dev:
    raw_aes: {namespace: unique, name: key, key_env: SEALSQL_CORPUS_KEY}
tables:
  subscribers:
    row_key: [id]
    columns:
      email: {keyring: dev, type: string, search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim]}}}
      phone: {keyring: dev, type: string, search: {equality: {column: phone_eq}}}
  people:
    row_key: [id]
    columns:
      email: {keyring: dev, type: string, search: {equality: {column: email_eq}}}
  logins:
    row_key: [email]
    columns:
      email: {keyring: dev, type: string, search: {equality: {column: email_eq}}}
      secret: {keyring: dev, type: string}
`

var uniqueSchema = map[string][]string{
	"postgres": {
		"CREATE TABLE subscribers (id bigint PRIMARY KEY, tenant bigint NOT NULL DEFAULT 1, name text UNIQUE, email bytea, email_eq bytea, phone bytea, phone_eq bytea)",
		"CREATE UNIQUE INDEX subscribers_email ON subscribers (email_eq)",
		"CREATE UNIQUE INDEX subscribers_phone ON subscribers (tenant, phone_eq)",
		"CREATE TABLE people (id bigserial PRIMARY KEY, name text, email bytea, email_eq bytea NOT NULL)",
		"CREATE UNIQUE INDEX people_email ON people (email_eq)",
		"CREATE TABLE logins (email_eq bytea PRIMARY KEY, email bytea, secret bytea)",
	},
	"mysql": {
		"CREATE TABLE subscribers (id bigint PRIMARY KEY, tenant bigint NOT NULL DEFAULT 1, name varchar(50) UNIQUE, email blob, email_eq varbinary(32), phone blob, phone_eq varbinary(32))",
		"CREATE UNIQUE INDEX email ON subscribers (email_eq)",
		"CREATE UNIQUE INDEX subscribers_phone ON subscribers (tenant, phone_eq)",
		"CREATE TABLE people (id bigint AUTO_INCREMENT PRIMARY KEY, name text, email blob, email_eq varbinary(32) NOT NULL)",
		"CREATE UNIQUE INDEX email ON people (email_eq)",
		"CREATE TABLE logins (email_eq varbinary(32) PRIMARY KEY, email blob, secret blob)",
	},
}

// violating is a statement that violates a constraint.
type violating struct {
	name, only string // only on this server, if set
	text       string
	args       []any
	null       bool // the violated constraint is NOT NULL
	want       string
}

const (
	takenEmail  = "protected column subscribers.email: another row has an equal value after nfkc, casefold, trim; find that row by email"
	takenPhone  = "protected column subscribers.phone: another row has an equal value of (tenant, phone); find that row by phone"
	takenPerson = "protected column people.email: another row has an equal value; find that row by email"
	takenLogin  = "protected column logins.email: another row has an equal value; find that row by email"
)

var violations = []violating{
	{"an insert with parameters", "", "INSERT INTO subscribers (id, email) VALUES (?, ?)", []any{int64(90), " ADA@leak.example "}, false, takenEmail},
	{"an insert of several rows", "", "INSERT INTO subscribers (id, email) VALUES (?, ?), (?, ?)", []any{int64(90), "new@leak.example", int64(91), "Ada@leak.example"}, false, takenEmail},
	{"an insert that violates itself", "", "INSERT INTO subscribers (id, email) VALUES (?, ?), (?, ?)", []any{int64(90), "new@leak.example", int64(91), "NEW@leak.example"}, false, takenEmail},
	{"an insert with literals", "", "INSERT INTO subscribers (id, email) VALUES (90, 'ada@leak.example')", nil, false, takenEmail},
	{"a key of two columns", "", "INSERT INTO subscribers (id, tenant, phone) VALUES (?, ?, ?)", []any{int64(90), int64(1), "901-11-0001"}, false, takenPhone},
	{"an update in place", "", "UPDATE subscribers SET email = ? WHERE id = ?", []any{"ada@leak.example", int64(2)}, false, takenEmail},
	{"an update row by row", "", "UPDATE subscribers SET email = ? WHERE name = ?", []any{"ada@leak.example", "Ben"}, false, takenEmail},
	{"an update by the column itself", "", "UPDATE subscribers SET email = ? WHERE email = ?", []any{"ada@leak.example", "ben@leak.example"}, false, takenEmail},
	{"an update of the key's other column alone", "", "UPDATE subscribers SET tenant = 1 WHERE id = 2", nil, false, takenPhone},
	{"an upsert that conflicts with another key", "postgres", "INSERT INTO subscribers (id, email) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email", []any{int64(2), "ada@leak.example"}, false, takenEmail},
	{"an insert that returns its row", "postgres", "INSERT INTO subscribers (id, email) VALUES (?, ?) RETURNING id", []any{int64(90), "ada@leak.example"}, false, takenEmail},
	{"an insert that returns its values", "postgres", "INSERT INTO subscribers (id, email) VALUES (?, ?) RETURNING id, email", []any{int64(90), "ada@leak.example"}, false, takenEmail},
	{"an insert that returns its rows", "mariadb", "INSERT INTO subscribers (id, email) VALUES (?, ?), (?, ?) RETURNING id", []any{int64(90), "new@leak.example", int64(91), "ada@leak.example"}, false, takenEmail},
	{"an insert that returns its rows' values", "mariadb", "INSERT INTO subscribers (id, email) VALUES (?, ?), (?, ?) RETURNING id, email", []any{int64(90), "new@leak.example", int64(91), "ada@leak.example"}, false, takenEmail},
	{"a replace of the wrong kind", "mysql", "UPDATE subscribers SET phone = ?, tenant = 1 WHERE id = 2", []any{"901-11-0001"}, false, takenPhone},
	{"a row key that the server makes", "", "INSERT INTO people (name, email) VALUES (?, ?)", []any{"x", "ada@leak.example"}, false, takenPerson},
	{"row keys that the server makes", "", "INSERT INTO people (name, email) VALUES (?, ?), (?, ?)", []any{"x", "new@leak.example", "y", "ada@leak.example"}, false, takenPerson},
	{"a protected row key", "", "INSERT INTO logins (email, secret) VALUES (?, ?)", []any{"ada@leak.example", "secret one"}, false, takenLogin},
	{"a NULL where the column of terms takes none", "", "UPDATE people SET email = NULL WHERE id = 1", nil, true, "protected column people.email cannot be NULL here; give it a value"},
	{"a value that is left out", "", "INSERT INTO people (id, name) VALUES (90, 'x')", nil, true, "protected column people.email cannot be NULL here; give it a value"},
	{"a key in clear is the server's alone", "", "INSERT INTO subscribers (id, name) VALUES (90, 'Ada')", nil, false, ""},
}

// TestViolationsNameTheProtectedColumn: an error of a constraint on a column of terms
// names the column that the application knows. Its type and code are the base driver's.
func TestViolationsNameTheProtectedColumn(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			u := newUnique(t, server)
			ran := 0
			for _, v := range violations {
				if v.only != "" && v.only != server.Name && !strings.HasPrefix(server.String(), v.only) {
					continue
				}
				ran++
				text := (&site{server: server}).q(v.text)
				for way, send := range waysToViolate {
					if v.only == "" || !strings.Contains(v.text, "RETURNING") || way != "exec" {
						t.Run(v.name+"/"+way, func(t *testing.T) { u.check(t, v, send(u.sealed, text, v.args)) })
					}
				}
			}
			if want := map[bool]int{true: 18, false: 16}[server.Name == "postgres"]; ran != want && !(ran == want+2 && strings.HasPrefix(server.String(), "mariadb")) {
				t.Errorf("ran %d statements, want %d", ran, want)
			}
		})
	}
}

// waysToViolate send a statement that fails.
var waysToViolate = map[string]func(db *sql.DB, text string, args []any) error{
	"exec": func(db *sql.DB, text string, args []any) error {
		_, err := db.Exec(text, args...)
		return err
	},
	"query": func(db *sql.DB, text string, args []any) error { return drained(db.Query(text, args...)) },
	"prepared": func(db *sql.DB, text string, args []any) error {
		s, err := db.Prepare(text)
		if err != nil {
			return err
		}
		defer s.Close()
		return drained(s.Query(args...))
	},
	"in a transaction": func(db *sql.DB, text string, args []any) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return drained(tx.Query(text, args...))
	},
}

// drained reads all rows.
func drained(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	_ = rows.Close()
	return rows.Err()
}

type unique struct {
	server       *testdb.Server
	sealed, bare *sql.DB
}

func newUnique(t *testing.T, server *testdb.Server, more ...string) *unique {
	t.Helper()
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	name := server.NewDatabase(t)
	u := &unique{server: server, bare: server.Open(t, name)}
	p, err := policy.Parse("test", []byte(uniquePolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, ddl := range slices.Concat(uniqueSchema[server.Name], more) {
		if _, err := u.bare.Exec(ddl); err != nil {
			t.Fatalf("%s: %v", ddl, err)
		}
	}
	bareName, dsn := server.DSN(server.Addr(), name)
	u.sealed = open(t, bareName, dsn, driver.WithPolicy(p))
	for _, text := range []string{
		"INSERT INTO subscribers (id, tenant, name, email, phone) VALUES (1, 1, 'Ada', 'ada@leak.example', '901-11-0001'), (2, 2, 'Ben', 'ben@leak.example', '901-11-0001')",
		"INSERT INTO people (id, name, email) VALUES (1, 'Ada', 'ada@leak.example')",
		"INSERT INTO logins (email, secret) VALUES ('ada@leak.example', 'secret one')",
	} {
		if _, err := u.sealed.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if server.Name == "postgres" { // the row that lies there took no number
		if _, err := u.bare.Exec("SELECT setval('people_id_seq', 10)"); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func (u *unique) check(t *testing.T, v violating, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: no error", v.text)
	}
	text := err.Error()
	if !strings.Contains(text, v.want) || v.want == "" && strings.Contains(text, "protected column") {
		t.Errorf("%s:\n got: %s\nwant: … %s", v.text, text, v.want)
	}
	if found := plaintexts.FindString(text); found != "" {
		t.Errorf("%s: the error quotes %s", v.text, found)
	}
	u.code(t, v, err)
}

// code checks the type and the code of the error.
func (u *unique) code(t *testing.T, v violating, err error) {
	t.Helper()
	if u.server.Name == "postgres" {
		e, ok := err.(*pgconn.PgError) //nolint:errorlint // gorm asserts the type
		want := map[bool]string{false: "23505", true: "23502"}[v.null]
		if !ok || e.Code != want || e.SQLState() != want || v.null && e.ColumnName != "email" || !v.null && e.ConstraintName == "" {
			t.Errorf("%s: the error is a %T, %+v", v.text, err, e)
		}
		return
	}
	e, ok := err.(*gomysql.MySQLError) //nolint:errorlint // gorm asserts the type
	want := map[bool][]uint16{false: {1062}, true: {1048, 1364}}[v.null]
	if !ok || e.Number != want[0] && e.Number != want[len(want)-1] || !errors.Is(err, &gomysql.MySQLError{Number: e.Number}) {
		t.Errorf("%s: the error is a %T: %v", v.text, err, err)
	}
}

// TestDeferredViolationsNameTheProtectedColumn: Postgres checks some constraints when a
// transaction ends. Partitions have keys of their own names.
func TestDeferredViolationsNameTheProtectedColumn(t *testing.T) {
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		u := newUnique(t, server,
			"DROP INDEX subscribers_email",
			"ALTER TABLE subscribers ADD CONSTRAINT one_email UNIQUE (email_eq) DEFERRABLE INITIALLY DEFERRED",
			"DROP TABLE people",
			"CREATE TABLE people (id bigint, name text, email bytea, email_eq bytea, PRIMARY KEY (id)) PARTITION BY LIST (id)",
			"CREATE TABLE people_one PARTITION OF people FOR VALUES IN (1, 3)",
			"CREATE UNIQUE INDEX people_one_email ON people_one (name, email_eq)",
			"CREATE TABLE people_two PARTITION OF people FOR VALUES IN (2)",
			"CREATE SEQUENCE people_id_seq")
		v := violating{text: "INSERT INTO subscribers (id, email) VALUES ($1, $2)", args: []any{int64(90), "ada@leak.example"}, want: takenEmail}
		for name, commit := range map[string]func(*sql.Conn) error{
			"a transaction of database/sql": func(c *sql.Conn) error {
				tx, err := c.BeginTx(context.Background(), nil)
				if err != nil {
					return err
				}
				if _, err := tx.Exec(v.text, v.args...); err != nil {
					t.Fatal(err)
				}
				return tx.Commit()
			},
			"a transaction in texts": func(c *sql.Conn) error {
				for _, text := range []string{"BEGIN", v.text} {
					if _, err := c.ExecContext(context.Background(), text, map[bool][]any{true: v.args}[text == v.text]...); err != nil {
						t.Fatal(err)
					}
				}
				_, err := c.ExecContext(context.Background(), "COMMIT")
				return err
			},
			"a check at once": func(c *sql.Conn) error {
				_, err := c.ExecContext(context.Background(), v.text, v.args...)
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				c, err := u.sealed.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				u.check(t, v, commit(c))
			})
		}
		part := violating{text: "INSERT INTO people (id, name, email) VALUES ($1, $2, $3)", args: []any{int64(3), "Ada", "ada@leak.example"},
			want: "protected column people.email: another row has an equal value of (name, email); find that row by email"}
		u.check(t, part, waysToViolate["exec"](u.sealed, part.text, part.args))
	}
}

// TestANullRowKeyNamesTheProtectedColumn: the value is sealed for its row key, whose
// column of terms the application does not know.
func TestANullRowKeyNamesTheProtectedColumn(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			u := newUnique(t, server)
			text := (&site{server: server}).q("INSERT INTO logins (email, secret) VALUES (?, ?)")
			_, err := u.sealed.Exec(text, nil, "secret one")
			if !errors.Is(err, driver.ErrValue) || !strings.Contains(err.Error(), "logins.email, which the value is bound to") || strings.Contains(err.Error(), "email_eq") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAKeyThatIsGoneNamesTheProtectedColumn: another connection drops the unique key after
// the server found it violated, and before the driver asks what its columns are.
func TestAKeyThatIsGoneNamesTheProtectedColumn(t *testing.T) {
	ran := 0
	for _, server := range testdb.Each(t) {
		if ran++; server.Name != "postgres" {
			continue // MySQL's servers do not name a key's columns
		}
		u := newUnique(t, server)
		for _, ddl := range []string{
			"CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE unique_violation USING CONSTRAINT = ''gone'', TABLE = ''people'', SCHEMA = ''public'', DETAIL = ''Key (email_eq)=(x) already exists.''; END'",
			"CREATE TRIGGER taken BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION taken()",
		} {
			if _, err := u.bare.Exec(ddl); err != nil {
				t.Fatal(err)
			}
		}
		_, err := u.sealed.Exec("INSERT INTO people (id, name, email) VALUES ($1, $2, $3)", 9, "Ada", "ada@leak.example")
		if err == nil || !strings.Contains(err.Error(), takenPerson) {
			t.Errorf("%v", err)
		}
	}
	if ran == 0 {
		t.Error("no server")
	}
}
