package conformance

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// pgxEnv makes what pgx's testsetup makes and its stdlib tests need.
func pgxEnv(t *testing.T) []string {
	server := testdb.Postgres(t)
	name := server.NewDatabase(t)
	db := server.Open(t, name)
	for _, text := range []string{"CREATE EXTENSION IF NOT EXISTS hstore", "CREATE DOMAIN uint64 AS numeric(20,0)"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	_, dsn := server.DSN(server.Addr(), name)
	return []string{"PGX_TEST_DATABASE=" + dsn}
}

func mysqlEnv(t *testing.T) []string {
	server := testdb.MySQL(t)
	return []string{"MYSQL_TEST_ADDR=" + server.Addr(), "MYSQL_TEST_DBNAME=" + server.NewDatabase(t)}
}

func sqlxEnv(t *testing.T) []string {
	postgres, maria := testdb.Postgres(t), testdb.MySQL(t)
	_, pg := postgres.DSN(postgres.Addr(), postgres.NewDatabase(t))
	_, my := maria.DSN(maria.Addr(), maria.NewDatabase(t))
	return []string{"SQLX_POSTGRES_DSN=" + pg, "SQLX_MYSQL_DSN=" + my, "SQLX_SQLITE_DSN=skip"}
}
