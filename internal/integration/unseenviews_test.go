package integration

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestAViewWhoseDefinitionTheAccountMayNotSee is refused by its own name, with the
// privilege that is missing.
func TestAViewWhoseDefinitionTheAccountMayNotSee(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	database := s.database()
	s.set("CREATE VIEW v_other AS SELECT id, text_column FROM other", "CREATE VIEW v_over AS SELECT id FROM v_other", "CREATE VIEW v_listed AS SELECT account_number, ssn FROM accounts",
		"CREATE USER unseen@'%' IDENTIFIED BY 'x'", "CREATE USER unseen@localhost IDENTIFIED BY 'x'",
		"GRANT SELECT, INSERT ON "+database+".* TO unseen@'%'", "GRANT SELECT, INSERT ON "+database+".* TO unseen@localhost")
	t.Cleanup(func() { s.set("DROP USER unseen@'%'", "DROP USER unseen@localhost") })
	p, err := policy.Parse("test", []byte(policyText+"views: {v_listed: accounts}\n"))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := kms()
	name, dsn := s.server.DSN(s.proxy.Addr(), database)
	dsn = "unseen:x" + dsn[strings.Index(dsn, "@"):]
	db := open(t, name, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	for _, text := range []string{"SELECT * FROM v_other", "SELECT id FROM v_over", "INSERT INTO v_other (id) VALUES (1)", "UPDATE v_other SET id = 2"} {
		_, err := db.Exec(text)
		if !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "grant the account SHOW VIEW") || strings.Contains(err.Error(), "accounts") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"SELECT account_number, ssn FROM v_listed", "SELECT ssn FROM accounts", "SELECT * FROM other"} {
		if _, err := db.Exec(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	srv, err := server.Named("mysql")
	if err != nil {
		t.Fatal(err)
	}
	views, err := srv.Readers(t.Context(), openBare(t, name, dsn), &sqlplan.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"v_other", "v_over", "v_listed"} {
		if !slices.ContainsFunc(views, func(r *sqlplan.Relation) bool { return r.Name == view && r.ReadsProtected == sqlplan.Unseen }) {
			t.Errorf("lint is not told of %s", view)
		}
	}
	for _, view := range []string{"v_other", "v_over"} { // privileges on views count at once, on databases for new connections
		s.set("GRANT SHOW VIEW ON "+database+"."+view+" TO unseen@'%'", "GRANT SHOW VIEW ON "+database+"."+view+" TO unseen@localhost")
	}
	if _, err := db.Exec("SELECT id FROM v_over"); err != nil {
		t.Errorf("with the privilege on the views: %v", err)
	}
	s.set("GRANT SHOW VIEW ON "+database+".* TO unseen@'%'", "GRANT SHOW VIEW ON "+database+".* TO unseen@localhost")
	db = open(t, name, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	if _, err := db.Exec("SELECT id FROM v_over"); err != nil {
		t.Errorf("with the privilege: %v", err)
	}
}
