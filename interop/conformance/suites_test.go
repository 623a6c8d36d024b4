package conformance

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// suite is someone's tests.
type suite struct {
	module string // its version is interop/go.mod's
	// mod is the folder of another go.mod, if another names the version.
	mod  string
	pkgs []string
	// generate writes the suite, if it is not the module's as it is; imported is
	// then the path under which it is compiled.
	generate func(t *testing.T, module, to string)
	imported string
	// flags are further arguments of go test.
	flags []string
	// args are arguments of the suite's test program, with $NAME for what env names.
	args []string
	// sources are files that are rewritten although they are no tests.
	sources []string
	// edits rewrite the copied sources for the run through sealsql; bareEdits
	// those of both runs.
	edits, bareEdits []edit
	// files are added to the copy for the run through sealsql, bareFiles for
	// the bare one: names in testdata, with where they go.
	files, bareFiles map[string]string
	// openers are the files that are added to both runs so that the suite opens
	// its databases by the bare driver or by sealsql, with their packages.
	openers map[string]string
	// env prepares the servers and returns the suite's environment.
	env func(t *testing.T) []string
	// differ says of tests why they end in another way through sealsql.
	differ map[string]string
	// tests and subtests are how many pass bare, at the least.
	tests, subtests int
}

var suites = map[string]suite{
	"pgx": {
		module: "github.com/jackc/pgx/v5",
		pkgs:   []string{"./stdlib"},
		edits: []edit{
			call("stdlib", "OpenDB", "sealedOpenDB"),
			call("stdlib", "OpenDBFromPool", "sealedOpenDBFromPool"),
			call("sql", "Open", "sealedOpen"),
			assertion("*stdlib.Conn", "unwrap"),
		},
		files: map[string]string{"pgx.go.txt": "stdlib/sealsql_test.go"},
		env:   pgxEnv,
		tests: 46, subtests: 152,
	},
	"pgxpool": {
		module: "github.com/jackc/pgx/v5",
		pkgs:   []string{"./pgxpool"},
		edits: []edit{
			call("pgxpool", "New", "sealedNew"),
			call("pgxpool", "NewWithConfig", "sealedNewWithConfig"),
			selector("pgxpool", "Pool", "sealedPool", "TraceAcquireStartData"),
			selector("pgxpool", "Conn", "sealedConn", "TraceAcquireStartData"),
			uses("github.com/jackc/pgx/v5/pgxpool", "pgxpool.ParseConfig"),
		},
		files: map[string]string{"pgxpool.go.txt": "pgxpool/sealsql_test.go"},
		env:   pgxEnv,
		tests: 70, subtests: 8,
	},
	"pgxconn": {
		module:  "github.com/jackc/pgx/v5",
		pkgs:    []string{"."},
		sources: []string{"pgxtest/pgxtest.go"}, // opens the connections of most tests
		edits: []edit{
			call("pgx", "Connect", "sealedConnect"),
			call("pgx", "ConnectConfig", "sealedConnectConfig"),
			connType("sealedConn"),
			uses("github.com/jackc/pgx/v5", "pgx.ParseConfig"),
		},
		files: map[string]string{"pgxconn.go.txt": "pgxtest/sealsql.go", "pgxconn_test.go.txt": "sealsql_test.go"},
		env:   pgxEnv,
		differ: map[string]string{
			"TestConnSimpleProtocolRefusesNonStandardConformingStrings": "it turns standard_conforming_strings off, which sealsql refuses",
		},
		tests: 280, subtests: 497,
	},
	"mysql": {
		module: "github.com/go-sql-driver/mysql",
		pkgs:   []string{"."},
		edits: []edit{
			call("sql", "Open", "sealedOpen"),
			call("sql", "OpenDB", "sealedOpenDB"),
			assertion("*mysqlConn", "unwrap"),
		},
		files: map[string]string{"mysql.go.txt": "sealsql_test.go", "mysql_dialect.go.txt": "sealsql_dialect_test.go"},
		// It dials a public address and expects nobody to answer; behind a proxy
		// that does, the suite ends in a panic of its own.
		flags: []string{"-skip=^TestConnectorReturnsTimeout$"},
		env:   mysqlEnv,
		tests: 162, subtests: 240,
	},
	"sqlx": {
		module: "github.com/jmoiron/sqlx",
		pkgs:   []string{"."},
		bareEdits: []edit{
			importPath("github.com/lib/pq", "github.com/jackc/pgx/v5/stdlib"), importPath("github.com/mattn/go-sqlite3", ""),
			call("", "Connect", "connect"),
		},
		bareFiles: map[string]string{"sqlx_bare.go.txt": "a_bare_test.go"},
		files:     map[string]string{"sqlx.go.txt": "a_sealsql_test.go"},
		env:       sqlxEnv,
		tests:     40, subtests: 17,
	},
}

func TestPgx(t *testing.T)     { conform(t, "pgx") }
func TestPgxPool(t *testing.T) { conform(t, "pgxpool") }
func TestPgxConn(t *testing.T) { conform(t, "pgxconn") }
func TestMySQL(t *testing.T)   { conform(t, "mysql") }
func TestSqlx(t *testing.T)    { conform(t, "sqlx") }
