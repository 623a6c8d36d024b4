package conformance

import (
	"net"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// ormSuites are the suites of ORMs and query builders, whose versions are those
// of orm/go.mod. Each has as many tests as pass with the bare driver: pgx stands
// in for lib/pq, and some tests ask for lib/pq itself.
var ormSuites = map[string]suite{
	"goqu": {
		module:    "github.com/doug-martin/goqu/v9",
		pkgs:      []string{"./dialect/postgres", "./dialect/mysql"},
		bareEdits: []edit{named("sql", "Open")},
		openers:   map[string]string{"dialect/postgres/a_open_test.go": "postgres_test", "dialect/mysql/a_open_test.go": "mysql_test"},
		env:       ormEnv("PG_URI", "MYSQL_URI", ""),
		tests:     3, subtests: 33,
	},
	"xorm-postgres":      xorm("pgx", 351, 218),
	"xorm-mysql":         xorm("mysql", 346, 206),
	"gorm-postgres":      gorm("postgres", 191, 17),
	"gorm-mysql":         gorm("mysql", 192, 20),
	"gorp-postgres":      gorp("postgres", 51, 6),
	"gorp-mysql":         gorp("mysql", 49, 6),
	"sqlboiler-postgres": sqlboiler("psql", 28, 665),
	"sqlboiler-mysql":    sqlboiler("mysql", 28, 588),
	"pop-postgres":       pop("postgres", 185, 37),
	"pop-mysql":          pop("mysql", 183, 35),
}

func xorm(db string, tests, subtests int) suite {
	return suite{
		module:    "xorm.io/xorm",
		pkgs:      []string{"./tests"},
		sources:   []string{"tests/tests.go"},
		bareEdits: []edit{named("sql", "Open"), named("xorm", "NewEngine"), importPath("gitee.com/travelliu/dm", "")},
		openers:   map[string]string{"tests/a_open.go": "tests"},
		bareFiles: map[string]string{"xorm.go.txt": "tests/a_engine.go"},
		files:     map[string]string{"xorm.go.txt": "tests/a_engine.go"},
		args:      []string{"-db=" + db, "-conn_str=$DSN", "-show_sql=false"},
		env:       ormEnv("DSN", "DSN", db),
		tests:     tests, subtests: subtests,
	}
}

// gorm's tests make tables again under other shapes, which statements that a
// connection keeps prepared do not survive: pgx keeps none in the mode that is set.
func gorm(dialect string, tests, subtests int) suite {
	return suite{
		module: "github.com/jinzhu/gorm",
		pkgs:   []string{"."},
		// Its subtests are named after a pointer and the time.
		flags:     []string{"-skip=^TestOpen_ReturnsError_WithBadArgs$"},
		bareEdits: []edit{call("gorm", "Open", "openGorm"), named("sql", "Open")},
		openers:   map[string]string{"a_open_test.go": "gorm_test"},
		bareFiles: map[string]string{"jinzhu_gorm.go.txt": "a_gorm_test.go"},
		files:     map[string]string{"jinzhu_gorm.go.txt": "a_gorm_test.go"},
		env:       ormEnv("GORM_DSN", "GORM_DSN", dialect, "GORM_DIALECT="+dialect, "PGX_PARAMS=&default_query_exec_mode=describe_exec"),
		tests:     tests, subtests: subtests,
	}
}

func gorp(dialect string, tests, subtests int) suite {
	return suite{
		module:    "github.com/go-gorp/gorp/v3",
		pkgs:      []string{"."},
		flags:     []string{"-tags=integration"},
		bareEdits: []edit{named("sql", "Open")},
		openers:   map[string]string{"a_open_test.go": "gorp_test"},
		env:       ormEnv("GORP_TEST_DSN", "GORP_TEST_DSN", dialect, "GORP_TEST_DIALECT="+dialect),
		tests:     tests, subtests: subtests,
	}
}

func pop(dialect string, tests, subtests int) suite {
	return suite{
		module:    "github.com/gobuffalo/pop/v6",
		pkgs:      []string{"."},
		sources:   []string{"connection_instrumented.go"},
		bareEdits: []edit{named("sql", "Open")},
		openers:   map[string]string{"a_open.go": "pop"},
		bareFiles: map[string]string{"pop.go.txt": "a_main_test.go"},
		files:     map[string]string{"pop.go.txt": "a_main_test.go"},
		env:       popEnv(dialect),
		tests:     tests, subtests: subtests,
	}
}

// ormEnv makes an empty database on one server, or on both, and names it in
// variables. PGX_PARAMS among more are added to Postgres's DSN.
func ormEnv(postgresVar, mysqlVar, only string, more ...string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		// The suites that know SQLite need no C compiler without it.
		env := append([]string{"CGO_ENABLED=0"}, more...)
		if only != "mysql" {
			server := testdb.Postgres(t)
			_, dsn := server.DSN(server.Addr(), server.NewDatabase(t))
			env = append(env, postgresVar+"="+dsn+setting(more, "PGX_PARAMS"))
		}
		if only == "" || only == "mysql" {
			server := testdb.MySQL(t)
			_, dsn := server.DSN(server.Addr(), server.NewDatabase(t))
			env = append(env, mysqlVar+"="+dsn)
		}
		return env
	}
}

// popEnv makes the database that pop's own configuration names.
func popEnv(dialect string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		env := []string{"CGO_ENABLED=0", "SODA_DIALECT=" + dialect}
		if dialect == "postgres" {
			return append(env, ormEnv("POSTGRESQL_URL", "", dialect)(t)...)
		}
		server := testdb.MySQL(t)
		db := server.Open(t, "")
		for _, text := range []string{
			"DROP DATABASE IF EXISTS pop_test", "CREATE DATABASE pop_test",
			"CREATE USER IF NOT EXISTS pop IDENTIFIED BY 'pop'", "GRANT ALL ON *.* TO pop",
		} {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		host, port, err := net.SplitHostPort(server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return append(env, "MYSQL_HOST="+host, "MYSQL_PORT="+port, "MYSQL_USER=pop", "MYSQL_PASSWORD=pop")
	}
}

func init() {
	for name, s := range ormSuites {
		s.mod = "orm"
		suites[name] = s
	}
}

func TestGoqu(t *testing.T)              { conform(t, "goqu") }
func TestXormPostgres(t *testing.T)      { conform(t, "xorm-postgres") }
func TestXormMySQL(t *testing.T)         { conform(t, "xorm-mysql") }
func TestGormPostgres(t *testing.T)      { conform(t, "gorm-postgres") }
func TestGormMySQL(t *testing.T)         { conform(t, "gorm-mysql") }
func TestGorpPostgres(t *testing.T)      { conform(t, "gorp-postgres") }
func TestGorpMySQL(t *testing.T)         { conform(t, "gorp-mysql") }
func TestSQLBoilerPostgres(t *testing.T) { conform(t, "sqlboiler-postgres") }
func TestSQLBoilerMySQL(t *testing.T)    { conform(t, "sqlboiler-mysql") }
func TestPopPostgres(t *testing.T)       { conform(t, "pop-postgres") }
func TestPopMySQL(t *testing.T)          { conform(t, "pop-mysql") }
