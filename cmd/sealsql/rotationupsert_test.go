package main

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestAnUpsertThatIsToldOfTheOtherKey: while both columns of terms have a unique key,
// Postgres may answer an upsert, which names one of them, with the other. A trigger
// stands for the session that inserts the same value at the same moment.
func TestAnUpsertThatIsToldOfTheOtherKey(t *testing.T) {
	server := testdb.Postgres(t)
	for _, test := range []struct {
		name  string
		times int // that the server answers so
		fails bool
	}{{"once", 1, false}, {"each time", 9, true}} {
		for _, way := range []string{"on its own", "in a transaction"} {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				r := newRotation(t, server, rotationSize{rows: 4, width: 1})
				r.fill()
				r.ddl("ALTER TABLE users ADD COLUMN email_eq_new bytea")
				r.command(1, "reindex", "--table", "users", "--column", "email")
				r.ddl("CREATE UNIQUE INDEX users_email_new ON users (email_eq_new)", "CREATE SEQUENCE told",
					"CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n = 0 AND nextval(''told'') <= "+strings.Repeat("1+", test.times-1)+
						"1 THEN RAISE unique_violation USING CONSTRAINT = ''users_email'', TABLE = ''users'', SCHEMA = ''public''; END IF; RETURN NEW; END'",
					"CREATE TRIGGER tell BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tell()")
				db := r.start(2).db
				defer db.Close()
				db.SetMaxOpenConns(1) // a transaction that stays open would hang
				begin := map[string]string{"in a transaction": "BEGIN"}[way]
				end := map[string]string{"in a transaction": "COMMIT"}[way]
				if _, err := db.Exec(begin); err != nil {
					t.Fatal(err)
				}
				_, err := db.Exec(r.q(r.upserting()), 9, r.email(2), secretOf(2, 1))
				if test.fails {
					if !duplicate(err) || !strings.Contains(err.Error(), "protected column users.email") {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec(end); err != nil {
					t.Fatal(err)
				}
				var id, n int64
				var secret string
				if err := db.QueryRowContext(t.Context(), "SELECT id, n, secret FROM users WHERE email = $1", r.email(2)).Scan(&id, &n, &secret); err != nil || id != 2 || n != 1 || secret != secretOf(2, 1) {
					t.Errorf("row %d, written %d times, %s: %v", id, n, secret, err)
				}
			})
		}
	}
}
