package testdb_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestAReplicaFollowsAndIsPromoted(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if variable := map[string]string{"postgres": "SEALSQL_POSTGRES", "mysql": "SEALSQL_MYSQL"}[name]; os.Getenv(variable) == "none" {
				t.Skipf("%s is none", variable)
			}
			primary, err := testdb.StartPrimary(name)
			if err != nil {
				t.Fatal(err)
			}
			defer primary.Stop()
			at := primary.Open(t, primary.NewDatabase(t))
			replica, err := primary.StartReplica()
			if errors.Is(err, fs.ErrNotExist) {
				t.Skipf("not for %s: it comes without pg_basebackup", primary)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer replica.Stop()
			exec := func(db *sql.DB, text string) {
				t.Helper()
				if _, err := db.ExecContext(ctx, text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			count := func(db *sql.DB, want int) {
				t.Helper()
				var n int
				if err := db.QueryRowContext(ctx, "SELECT count(*) FROM a").Scan(&n); err != nil || n != want {
					t.Fatalf("%d rows, %v; want %d", n, err, want)
				}
			}
			exec(at, "CREATE TABLE a (id int PRIMARY KEY)")
			exec(at, "INSERT INTO a VALUES (1)")
			if err := replica.CatchUp(ctx, primary); err != nil {
				t.Fatal(err)
			}
			there := replica.Open(t, "t1")
			count(there, 1)
			primary.Stop()
			if err := replica.Promote(ctx); err != nil {
				t.Fatal(err)
			}
			exec(there, "INSERT INTO a VALUES (2)")

			back, err := replica.StartReplica()
			if err != nil {
				t.Fatal(err)
			}
			defer back.Stop()
			if err := back.CatchUp(ctx, replica); err != nil {
				t.Fatal(err)
			}
			count(back.Open(t, "t1"), 2)
		})
	}
}
