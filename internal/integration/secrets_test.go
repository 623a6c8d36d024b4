package integration

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// password is that of every DSN here; its parts must not be seen either.
const password = "hunter2"

// prints are the ways in which a value may end up in a log.
func prints(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	return b.String()
}

func withoutPassword(t *testing.T, what string, v any) {
	t.Helper()
	if text := prints(v); strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
		t.Errorf("%s: a %T prints the password", what, v)
	}
}

// TestNoErrorHoldsThePassword of a DSN, whatever is wrong with the DSN, the policy
// or the server.
func TestNoErrorHoldsThePassword(t *testing.T) {
	_, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	t.Setenv(driver.PolicyEnv, "")
	good, bad := filepath.Join(t.TempDir(), "policy.yaml"), filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(good, []byte(policyText), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("version: 7\nx: y"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, m := testdb.Postgres(t), testdb.MySQL(t)
	policyAt := func(path string) string { return "sealsql_policy=" + url.QueryEscape(path) }
	with := policyAt(good)
	dsns := map[string][]string{
		"sealsql-pgx": {
			"postgres://app:hunter2@127.0.0.1:1/db?" + with,
			"postgres://app:hunter2@" + p.Addr() + "/nowhere?" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?" + policyAt(bad),
			"postgres://app:hunter2@127.0.0.1:1/db?" + policyAt("/nowhere"),
			"postgres://app:hunter2@127.0.0.1:1/db",
			"postgres://app:hunter2@127.0.0.1:1/db?sealsql_policy=",
			"postgres://app:hunter2@127.0.0.1:1/db?sealsql_policy=%zz",
			"postgres://app:hunter2@127.0.0.1:1/db?sealsql_polcy=x",
			"postgres://app:hunter2@127.0.0.1:1/db?sealsql_policy_watch=hunter2&" + with,
			"postgres://app:hunter2%zz@127.0.0.1:1/db?" + with,
			"postgres://app:hunter2@127.0.0.1:port/db?" + with,
			"postgres://app:hunter2@[127.0.0.1:1/db?" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?sslmode=bogus&" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?connect_timeout=bogus&" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?statement_cache_capacity=bogus&" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?sslrootcert=/nowhere&sslmode=verify-full&" + with,
			"postgres://app:hunter2@127.0.0.1:1/db?service=none&servicefile=/nowhere&" + with,
			"postgres://app:hunter2?x@127.0.0.1:1/db?" + with,
			"postgres://app:hunter2#x@127.0.0.1:1/db?" + with,
			"postgres://app:hunter2/x@127.0.0.1:1/db?" + with,
			"postgres:/app:hunter2@127.0.0.1:1/db?" + with,
			"app:hunter2@127.0.0.1:1/db?" + with,
			"host=127.0.0.1 port=1 user=app password=hunter2 sealsql_policy=" + good,
			"host=127.0.0.1 port=x user=app password=hunter2 sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app password=hunter2 sslmode=bogus sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app password = 'hunter2' connect_timeout=x sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app password = hunter2 connect_timeout=x sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app password='hunter2 sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app password=two hunter2 sealsql_policy=" + good,
			"host=127.0.0.1 port=1 user=app sealsql_policy=" + good + " password hunter2",
			"host=127.0.0.1 port=1 user=app sealsql_policy=" + good + " =hunter2",
			"host=127.0.0.1 port=1 user=app sealsql_policy password=hunter2",
		},
		"sealsql-mysql": {
			"app:hunter2@tcp(127.0.0.1:1)/db?" + with,
			"app:hunter2@tcp(" + m.Addr() + ")/db?" + with,
			"app:hunter2@tcp(127.0.0.1:1)/db?" + policyAt(bad),
			"app:hunter2@tcp(127.0.0.1:1)/db",
			"app:hunter2@tcp(127.0.0.1:1)/db?sealsql_policy=" + good,
			"app:hunter2@tcp(127.0.0.1:1)/db?sealsql_policy=%zz",
			"app:hunter2@tcp(127.0.0.1:1)/db?timeout=x&" + with,
			"app:hunter2@tcp(127.0.0.1:1)/db?parseTime=x&" + with,
			"app:hunter2@tcp(127.0.0.1:1)/db?loc=x&" + with,
			"app:hunter2@tcp(127.0.0.1:1)/db?tls=x&" + with,
			"app:hunter2@tcp(127.0.0.1:1/db?" + with,
			"app:hunter2@tcp(127.0.0.1:1)db?" + with,
			"app:hunter2@127.0.0.1:1/db?" + with,
			"app:hunter2@bogus(127.0.0.1:1)/db?" + with,
			"app:hunter2@tcp(127.0.0.1:1)/db%zz?" + with,
			"app:hunter2/x?y@tcp(127.0.0.1:1)?" + with,
			"app:hunter2(127.0.0.1:1)/db?" + with,
			"app:hunter2tcp(127.0.0.1:1)/db?" + with,
			"app:hunter2/db?" + with,
			"mysql://app:hunter2@127.0.0.1:1/db?" + with,
		},
	}
	ran, failed := 0, 0
	for name, list := range dsns {
		for _, dsn := range list {
			ran++
			db, err := sql.Open(name, dsn)
			if err == nil {
				err = db.PingContext(t.Context())
				withoutPassword(t, dsn, db)
				withoutPassword(t, dsn, db.Driver())
				if c, e := driver.Of(db); e == nil {
					withoutPassword(t, dsn, c)
				}
				_ = db.Close()
			}
			if err == nil {
				t.Errorf("%s: was opened", dsn)
				continue
			}
			failed++
			withoutPassword(t, dsn, err)
		}
	}
	if ran != 32+20 || failed != ran {
		t.Errorf("%d DSNs, %d failed", ran, failed)
	}
}

// TestNothingPrintsTheBaseConnector, which may hold the password in a field.
func TestNothingPrintsTheBaseConnector(t *testing.T) {
	_, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := pgx.ParseConfig("postgres://app:hunter2@127.0.0.1:1/db")
	if err != nil {
		t.Fatal(err)
	}
	config, err := gomysql.ParseDSN("app:hunter2@tcp(127.0.0.1:1)/db")
	if err != nil {
		t.Fatal(err)
	}
	maria, err := gomysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, base := range []sqldriver.Connector{stdlib.GetConnector(*postgres), maria} {
		c, err := driver.NewConnector(base, driver.WithPolicy(p))
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(c)
		type nested struct {
			Shown  *driver.Connector
			hidden *driver.Connector
			sealer *driver.ValueSealer
			list   []*driver.Connector
		}
		for _, v := range []any{c, db, c.Driver(), c.Sealer(), nested{c, c, c.Sealer(), []*driver.Connector{c}},
			&nested{hidden: c}, map[string]any{"c": c}, &[]any{c}} {
			ran++
			withoutPassword(t, fmt.Sprintf("over %T", base), v)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if ran != 16 {
		t.Errorf("%d values", ran)
	}
}

// leaky is a Valuer whose error quotes its value, as many do.
type leaky struct{ s string }

func (l leaky) Value() (sqldriver.Value, error) { return nil, fmt.Errorf("cannot convert %q", l.s) }

// tellsAll prints its value whatever is asked of it.
type tellsAll struct{ S string }

func (a tellsAll) Error() string                { return a.S }
func (a tellsAll) String() string               { return a.S }
func (a tellsAll) GoString() string             { return a.S }
func (a tellsAll) MarshalJSON() ([]byte, error) { return nil, a }

const conversions = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: pii, type: %s}
      balance: {keyring: pii, type: int64, context: {account_number: account_number, tenant: tenant_id}}
`

// TestConversionErrorsHoldNoValue: an argument that does not fit its column, a row
// key that cannot be bound, and a value that was sealed as another type.
func TestConversionErrorsHoldNoValue(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const secret = "hunter2"
		if err := s.proxy.Watch(secret); err != nil {
			t.Fatal(err)
		}
		values := []any{secret, []byte(secret), leaky{secret}, &leaky{secret}, tellsAll{secret}, &tellsAll{secret}, map[string]string{"k": secret}, []string{secret},
			struct{ A any }{secret}, json.RawMessage(`{"a":hunter2}`), secret + "\xff", func() string { return secret }, []any{secret}, sql.NullString{String: secret, Valid: true}, sql.Null[leaky]{V: leaky{secret}, Valid: true}}
		types := []string{"string", "bytes", "int64", "float64", "bool", "timestamp", "date", "decimal", "uuid", "json"}
		ran, failed := 0, 0
		for _, typ := range types {
			db, k, arn := s.under(fmt.Sprintf(conversions, typ))
			check := func(err error) {
				t.Helper()
				ran++
				if err == nil {
					return
				}
				failed++
				if text := prints(err); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s: the error holds the value: %v", typ, err)
				}
			}
			exec := func(text string, args ...any) {
				t.Helper()
				// go-sql-driver calls an argument's Valuer before anybody knows what the
				// argument is for, and its error is the application's own.
				if _, own := args[len(args)-1].(sqldriver.Valuer); s.postgres() || !own {
					_, err := db.Exec(s.q(text), args...)
					check(err)
				}
				stmt, err := db.Prepare(s.q(text))
				if err != nil {
					t.Fatal(err)
				}
				_, err = stmt.Exec(args...)
				check(err)
				_ = stmt.Close()
			}
			for i, v := range values {
				exec("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", fmt.Sprint(typ, i), v)
				exec("UPDATE accounts SET ssn = ? WHERE account_number = 'x'", v)
				exec("UPDATE accounts SET ssn = ? WHERE name = 'x'", v)
			}
			check(func() error {
				_, err := db.Exec("INSERT INTO accounts (account_number, ssn) VALUES ('x', 'hunter2')")
				return err
			}())
			// What was sealed as a string, or another type's text.
			account := "read" + typ
			if _, err := s.bare.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), account, sealedAsString(t, k, arn, account, secret)); err != nil {
				t.Fatal(err)
			}
			check(db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), account).Scan(new(any)))
			if typ == "string" || typ == "bytes" {
				// It fits the column; what does not fit the row key follows.
				exec("INSERT INTO accounts (ssn, account_number) VALUES ('x', ?)", map[string]string{"k": secret})
			}
		}
		if _, err := s.bare.Exec("DELETE FROM accounts"); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d errors of %d conversions", failed, ran)
		want := 10*(15*3*2+2) + 2*2
		if !s.postgres() {
			want -= 10 * 4 * 3 // 4 Valuers in 3 statements
		}
		if ran != want || failed < 500 {
			t.Errorf("%d conversions, %d failed", ran, failed)
		}
	})
}

// sealedAsString makes the message that a column of strings would hold.
func sealedAsString(t *testing.T, k *sealtest.KMS, arn, account, plaintext string) []byte {
	t.Helper()
	ring, err := awskms.New(awskms.Config{Keys: []string{arn}, Client: awskms.Clients(k.AWSConfig("us-east-1"))})
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encrypt(t.Context(), nil, []byte(plaintext), codec.Context{"account_number": account, "sealsql:table": "accounts", "sealsql:column": "ssn"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
