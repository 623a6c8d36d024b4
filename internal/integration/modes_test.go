package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestEveryQueryMode runs the same statements in each way that the base
// drivers have of sending them.
func TestEveryQueryMode(t *testing.T) {
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string][]string{
		"postgres": {"default_query_exec_mode=cache_statement", "default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec",
			"default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol",
			"bytea_output=escape", "default_query_exec_mode=exec&bytea_output=escape", "default_query_exec_mode=simple_protocol&bytea_output=escape",
			"default_query_exec_mode=describe_exec&statement_cache_capacity=0&description_cache_capacity=0"},
		"mysql": {"interpolateParams=true", "interpolateParams=false", "clientFoundRows=true&multiStatements=true", "columnsWithAlias=true&parseTime=true"},
	}
	for _, server := range testdb.Each(t) {
		ran := 0
		for _, param := range modes[server.Name] {
			t.Run(server.String()+"/"+param, func(t *testing.T) {
				ran++
				s := &site{t: t, server: server, proxy: server.Proxy(t)}
				name := server.NewDatabase(t)
				s.bare = server.Open(t, name)
				for _, ddl := range schema[server.Name] {
					if _, err := s.bare.Exec(ddl); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
					t.Fatal(err)
				}
				bareName, dsn := server.DSN(s.proxy.Addr(), name)
				s.sealed = open(t, bareName, dsn+"&"+param, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
				s.exec("INSERT INTO accounts (account_number, name, ssn, note) VALUES (?, ?, ?, ?)", "a1", "n", ssn1, ssn2)
				s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a2', '" + ssn2 + "')")
				s.exec("INSERT INTO people (name, ssn) VALUES (?, ?)", "p", ssn3)
				s.affected(1, "UPDATE accounts SET ssn = ? WHERE account_number = ?", ssn3, "a1")
				s.affected(2, "UPDATE accounts SET note = ? WHERE account_number LIKE 'a%'", ssn1)
				s.affected(1, "UPDATE accounts SET account_number = ? WHERE account_number = ?", "a3", "a2")
				s.want("a1|"+ssn3+"|"+ssn1+"\na3|"+ssn2+"|"+ssn1, "SELECT account_number, ssn, note FROM accounts ORDER BY 1")
				s.want(ssn3, "SELECT ssn FROM people WHERE name = ?", "p")
			})
		}
		if want := map[string]int{"postgres": 9, "mysql": 4}[server.Name]; ran != want {
			t.Errorf("%s: ran %d modes, want %d", server, ran, want)
		}
	}
}

// TestOneParameterForTwoPurposes must not send the value in clear for the
// other purpose.
func TestOneParameterForTwoPurposes(t *testing.T) {
	server := testdb.Postgres(t)
	s := newSite(t, server)
	if err := s.proxy.Watch(ssn1); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"INSERT INTO accounts (account_number, name, ssn) VALUES ('a', $1, $1)",
		"INSERT INTO accounts (account_number, ssn) VALUES ('a', $1) RETURNING $1::text",
		"UPDATE accounts SET ssn = $1 WHERE name = $1",
		"WITH w AS (SELECT $1::text AS x) INSERT INTO accounts (account_number, ssn, name) SELECT 'a', x, x FROM w",
	} {
		if _, err := s.sealed.Exec(text, ssn1); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// For two rows it is one value sealed twice.
	if _, err := s.sealed.Exec("INSERT INTO accounts (account_number, ssn) VALUES ('a', $1), ('b', $1)", ssn1); err != nil {
		t.Error(err)
	}
	s.want("a|"+ssn1+"\nb|"+ssn1, "SELECT account_number, ssn FROM accounts ORDER BY 1")
}

// TestLargeScan reads more rows than are read ahead, closes half-way, and
// gives up in the middle.
func TestLargeScan(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const n = 600
		for i := range n {
			s.exec("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", fmt.Sprintf("%04d", i), fmt.Sprintf("900-00-%04d", i))
		}
		rows := s.read("SELECT account_number, ssn FROM accounts ORDER BY account_number")
		for i, r := range rows {
			if r != fmt.Sprintf("%04d|900-00-%04d", i, i) {
				t.Fatalf("row %d is %s", i, r)
			}
		}
		if len(rows) != n {
			t.Errorf("read %d rows", len(rows))
		}
		half, err := s.sealed.Query("SELECT ssn FROM accounts")
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			half.Next()
		}
		if err := half.Close(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		given, err := s.sealed.QueryContext(ctx, "SELECT ssn FROM accounts")
		if err != nil {
			t.Fatal(err)
		}
		defer given.Close()
		var raw sql.RawBytes
		for i := 0; given.Next(); i++ {
			if err := given.Scan(&raw); err != nil {
				break
			}
			if i == 5 {
				cancel()
			}
		}
		if err := given.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("after cancelling: %v", err)
		}
		cancel()
	})
}
