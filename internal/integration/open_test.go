package integration

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestOpenByName opens both drivers as an application does: a name, a DSN with
// the policy's path, and AWS configured by the environment.
func TestOpenByName(t *testing.T) {
	k, arn := kms()
	for name, value := range map[string]string{"SEALSQL_TEST_KEY": arn, "AWS_ENDPOINT_URL_KMS": k.URL(), "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policyText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range testdb.Each(t) {
		database := s.NewDatabase(t)
		bare := s.Open(t, database)
		for _, ddl := range schema[s.Name] {
			if _, err := bare.Exec(ddl); err != nil {
				t.Fatal(err)
			}
		}
		name := postgres.DriverName
		if s.Name == "mysql" {
			name = mysql.DriverName
		}
		_, dsn := s.DSN(s.Addr(), database)
		db, err := sql.Open(name, dsn+"&sealsql_policy="+url.QueryEscape(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO accounts (account_number, ssn) VALUES ('o1', '900-12-3456')"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var ssn string
		if err := db.QueryRow("SELECT ssn FROM accounts").Scan(&ssn); err != nil || ssn != "900-12-3456" {
			t.Errorf("%s: %q, %v", name, ssn, err)
		}
		if c, err := driver.Of(db); err != nil || len(c.Stats().KMSCalls) != 2 {
			t.Errorf("%s: stats %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		// Without a policy nothing is opened.
		t.Setenv(driver.PolicyEnv, "")
		if db, err := sql.Open(name, dsn); err == nil {
			if err = db.Ping(); err == nil {
				t.Errorf("%s opened without a policy", name)
			}
			_ = db.Close()
		}
	}
}

func TestTheBaseConnectionIsReached(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		conn, err := s.sealed.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		err = conn.Raw(func(c any) error {
			base := driver.Unwrap(c)
			if _, ok := base.(*stdlib.Conn); s.postgres() && !ok {
				t.Errorf("the base connection is a %T", base)
			}
			if _, ok := base.(sqldriver.Conn); !ok {
				t.Errorf("the base connection is a %T", base)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

type mockConnector struct{ d sqldriver.Driver }

func (m mockConnector) Connect(context.Context) (sqldriver.Conn, error) { return m.d.Open("mock") }
func (m mockConnector) Driver() sqldriver.Driver                        { return m.d }

// sealedAs matches an argument that is a message holding a value.
type sealedAs struct {
	c     *codec.Codec
	value string
}

func (s sealedAs) Match(v sqldriver.Value) bool {
	raw, ok := v.([]byte)
	if !ok {
		return false
	}
	m, err := codec.Parse(raw)
	if err != nil {
		return false
	}
	got, err := s.c.Decrypt(context.Background(), nil, m, nil)
	return err == nil && string(got) == s.value && m.Context()["account_number"] == "a1"
}

// TestOverSqlmock unit-tests an application's query without a database.
func TestOverSqlmock(t *testing.T) {
	_, mock, err := sqlmock.NewWithDSN("mock")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := rawaes.New("test", "key", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SEALSQL_TEST_KEY", "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555")
	p, err := policy.Parse("x", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlmock", "mock")
	if err != nil {
		t.Fatal(err)
	}
	columns := []driver.SchemaColumn{{Name: "account_number", Type: "text", Unique: true}, {Name: "tenant_id", Type: "bigint"}, {Name: "ssn", Type: "bytea"}, {Name: "note", Type: "text"}, {Name: "balance", Type: "bytea"}}
	connector, err := driver.NewConnector(mockConnector{db.Driver()}, driver.WithPolicy(p), driver.WithDialect(postgres.Dialect),
		driver.WithKeyring("pii", ring), driver.WithSchema(driver.Schema{"accounts": columns}))
	if err != nil {
		t.Fatal(err)
	}
	sealed := sql.OpenDB(connector)
	mock.ExpectExec("INSERT INTO accounts").WithArgs("a1", sealedAs{c, "900-12-3456"}).WillReturnResult(sqlmock.NewResult(0, 1))
	if _, err := sealed.Exec("INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)", "a1", "900-12-3456"); err != nil {
		t.Fatal(err)
	}
	message, err := c.Encrypt(t.Context(), nil, []byte("900-12-3456"), codec.Context{"account_number": "a1", "sealsql:table": "accounts", "sealsql:column": "ssn"})
	if err != nil {
		t.Fatal(err)
	}
	mock.ExpectQuery("SELECT account_number, ssn FROM accounts").WillReturnRows(sqlmock.NewRows([]string{"account_number", "ssn"}).AddRow("a1", message))
	var account, ssn string
	if err := sealed.QueryRow("SELECT account_number, ssn FROM accounts").Scan(&account, &ssn); err != nil || ssn != "900-12-3456" {
		t.Errorf("%q, %v", ssn, err)
	}
	if err := mock.ExpectationsWereMet(); err != nil {
		t.Error(err)
	}
}
