package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// planned opens a database of its own with the tables of ddl under a policy.
func planned(t *testing.T, server *testdb.Server, tables string, ddl ...string) (s *site) {
	t.Helper()
	name := server.NewDatabase(t)
	s = &site{t: t, server: server, bare: server.Open(t, name), proxy: server.Proxy(t)}
	for _, text := range ddl {
		if _, err := s.bare.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte("version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"+tables))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(s.proxy.Addr(), name)
	s.sealed = open(t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert))
	return s
}

// TestRowsThatAreNotWrittenAreAnError where they were locked: a trigger passes over one.
func TestRowsThatAreNotWrittenAreAnError(t *testing.T) {
	s := planned(t, testdb.Postgres(t), "  docs: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}",
		"CREATE TABLE docs (id int PRIMARY KEY, grp int, ssn bytea)",
		"CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'",
		"CREATE TRIGGER pass BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION pass()")
	s.exec("INSERT INTO docs (id, grp, ssn) VALUES (1, 1, ?), (2, 1, ?)", ssn1, ssn2)
	const update = "UPDATE docs SET ssn = $1 WHERE grp = 1"
	s.affected(1, update, ssn3) // outside a transaction it is as bare
	s.want("1|"+ssn3+"\n2|"+ssn2, "SELECT id, ssn FROM docs ORDER BY id")
	for _, text := range []string{update, update + " RETURNING id"} {
		tx, err := s.sealed.Begin()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := tx.Query(text, "900-55-0001")
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if strings.Contains(text, "RETURNING") && !errors.Is(err, driver.ErrTableChanged) {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := tx.Exec(update, "900-55-0001"); !errors.Is(err, driver.ErrTableChanged) {
			t.Error(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// TestChildrenAndPartitionsCountWithinTheirTransaction: the catalog's connections do
// not see them until COMMIT.
func TestChildrenAndPartitionsCountWithinTheirTransaction(t *testing.T) {
	s := planned(t, testdb.Postgres(t), "  par: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n  parted: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}",
		"CREATE TABLE par (id int PRIMARY KEY, ssn bytea)", "CREATE TABLE parted (id int PRIMARY KEY, ssn bytea) PARTITION BY LIST (id)",
		"CREATE TABLE loose (id int PRIMARY KEY, ssn bytea)", "CREATE TABLE part2 (id int PRIMARY KEY, ssn bytea)")
	if err := s.proxy.Watch(ssn1); err != nil {
		t.Fatal(err)
	}
	tx, err := s.sealed.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, x := range [][2]string{
		{"CREATE TABLE k () INHERITS (par)", "k"}, {"CREATE TABLE part1 PARTITION OF parted FOR VALUES IN (1)", "part1"},
		{"ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES IN (2)", "part2"}, {"ALTER TABLE loose INHERIT par", "loose"},
	} {
		if _, err := tx.Exec(x[0]); err != nil {
			t.Fatalf("%s: %v", x[0], err)
		}
		if _, err := tx.Exec("INSERT INTO "+x[1]+" (id, ssn) VALUES (1, $1)", ssn1); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", x[1], err)
		}
	}
	if n := len(s.proxy.Leaks()); n > 0 {
		t.Errorf("%d leaks", n)
	}
}

// TestNamesOutsideASCII protects tables and columns of many scripts.
func TestNamesOutsideASCII(t *testing.T) {
	names := []string{"İşlemler", "Чеки", "ЦЕНА", "Straße", "ﬁles", "Kelvin\u212a", "ıtems", "σοφός", "日本語", "Ծառ", "Ꭰꭰ", strings.Repeat("я", 30), strings.Repeat("n", 60)}
	for _, server := range []*testdb.Server{testdb.Postgres(t), testdb.MySQL(t)} {
		t.Run(server.Name, func(t *testing.T) {
			quote, blob := "`", "blob"
			if server.Name == "postgres" {
				quote, blob = `"`, "bytea"
			}
			var tables strings.Builder
			var ddl []string
			for _, n := range names {
				fmt.Fprintf(&tables, "  %q: {row_key: [id], columns: {%q: {keyring: pii, type: string}}}\n", n, n+"é")
				ddl = append(ddl, fmt.Sprintf("CREATE TABLE %[1]s%[2]s%[1]s (id int PRIMARY KEY, %[1]s%[2]sé%[1]s %[3]s)", quote, n, blob))
			}
			s := planned(t, server, tables.String(), ddl...)
			if err := s.proxy.Watch(ssn1); err != nil {
				t.Fatal(err)
			}
			ran := 0
			for _, n := range names {
				ran++
				table, column := quote+n+quote, quote+n+"é"+quote
				s.exec("INSERT INTO "+table+" (id, "+column+") VALUES (1, ?)", ssn1)
				s.want(ssn1, "SELECT "+column+" FROM "+table)
				var stored []byte
				if err := s.bare.QueryRow("SELECT " + column + " FROM " + table).Scan(&stored); err != nil || strings.Contains(string(stored), ssn1) {
					t.Errorf("%s: the column holds %q, %v", n, stored, err)
				}
				if _, err := s.sealed.Query("SELECT id FROM " + table + " WHERE " + column + " = '" + ssn1 + "'"); !errors.Is(err, driver.ErrRefused) {
					t.Errorf("%s: %v", n, err)
				}
			}
			if n := len(s.proxy.Leaks()); n > 0 || ran != 13 {
				t.Errorf("%d leaks, %d names", n, ran)
			}
		})
	}
}

// TestNamesThatTheServerWouldCut are an error before the first statement.
func TestNamesThatTheServerWouldCut(t *testing.T) {
	for _, server := range []*testdb.Server{testdb.Postgres(t), testdb.MySQL(t)} {
		t.Run(server.Name, func(t *testing.T) {
			for _, name := range []string{strings.Repeat("n", 65), strings.Repeat("я", 65)} {
				s := planned(t, server, fmt.Sprintf("  %q: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n", name))
				if err := s.sealed.Ping(); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestAViewThatRenamesAProtectedColumnIsRefused, whatever is done through it.
func TestAViewThatRenamesAProtectedColumnIsRefused(t *testing.T) {
	for _, server := range []*testdb.Server{testdb.Postgres(t), testdb.MySQL(t)} {
		t.Run(server.Name, func(t *testing.T) {
			blob := map[bool]string{true: "bytea", false: "blob"}[server.Name == "postgres"]
			s := planned(t, server, "  people: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\nviews: {vv: people, swapped: people, honest: people}\n",
				"CREATE TABLE people (id int PRIMARY KEY, name "+blob+", ssn "+blob+")",
				"CREATE VIEW vv AS SELECT id, ssn AS tax_id FROM people", "CREATE VIEW swapped AS SELECT id, name AS ssn, ssn AS name FROM people",
				"CREATE VIEW honest AS SELECT id AS id, ssn, name AS other FROM people WHERE id > 0")
			if err := s.proxy.Watch(ssn1); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"INSERT INTO vv (id, tax_id) VALUES (1, ?)", "INSERT INTO swapped (id, name) VALUES (1, ?)", "UPDATE swapped SET name = ? WHERE id = 1"} {
				if _, err := s.sealed.Exec(s.q(text), ssn1); !errors.Is(err, driver.ErrRefused) {
					t.Errorf("%s: %v", text, err)
				}
			}
			s.exec("INSERT INTO honest (id, ssn) VALUES (1, ?)", ssn1)
			s.want(ssn1, "SELECT ssn FROM honest")
			if n := len(s.proxy.Leaks()); n > 0 {
				t.Errorf("%d leaks", n)
			}
		})
	}
}
