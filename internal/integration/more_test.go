package integration

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestReadsOfManyShapes compares what each form of query returns with what was
// written.
func TestReadsOfManyShapes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('s1', 'Ada', ?), ('s2', 'Ben', ?), ('s3', 'Cleo', NULL)", ssn1, ssn2)
		s.exec("INSERT INTO other (id, account_number) VALUES (1, 's1'), (2, 's2'), (3, 'none')")
		tests := []struct{ query, want string }{
			{"SELECT ssn FROM accounts WHERE account_number = 's1' UNION ALL SELECT ssn FROM accounts WHERE account_number = 's2'", ssn1 + "\n" + ssn2},
			{"SELECT o.id, a.ssn FROM other o LEFT JOIN accounts a ON a.account_number = o.account_number ORDER BY o.id", "1|" + ssn1 + "\n2|" + ssn2 + "\n3|<nil>"},
			{"SELECT a.ssn, b.ssn FROM accounts a JOIN accounts b ON a.account_number < b.account_number WHERE b.account_number = 's2'", ssn1 + "|" + ssn2},
			{"SELECT DISTINCT account_number, ssn FROM accounts ORDER BY account_number", "s1|" + ssn1 + "\ns2|" + ssn2 + "\ns3|<nil>"},
			{"SELECT account_number, CASE WHEN ssn IS NULL THEN 'none' ELSE 'some' END FROM accounts ORDER BY 1", "s1|some\ns2|some\ns3|none"},
			{"SELECT x.* FROM (SELECT a.* FROM accounts a) x WHERE x.name = 'Ben'", "s2|1|Ben|" + ssn2 + "|<nil>|<nil>"},
			{"WITH a AS (SELECT account_number, ssn FROM accounts), b AS (SELECT * FROM a) SELECT b.ssn FROM b JOIN other o ON o.account_number = b.account_number WHERE o.id = 2", ssn2},
			{"SELECT ssn FROM accounts WHERE account_number IN (SELECT account_number FROM other WHERE id = 1)", ssn1},
			{"SELECT ssn FROM accounts WHERE EXISTS (SELECT 1 FROM other WHERE other.account_number = accounts.account_number AND other.id = 1)", ssn1},
			{"SELECT ssn FROM accounts ORDER BY account_number DESC LIMIT 1 OFFSET 1", ssn2},
			{"SELECT account_number, count(ssn) FROM accounts GROUP BY account_number ORDER BY 1", "s1|1\ns2|1\ns3|0"},
			{"SELECT ssn, ssn AS again FROM accounts WHERE account_number = 's1'", ssn1 + "|" + ssn1},
			{"(SELECT ssn FROM accounts WHERE account_number = 's1')", ssn1},
			{"SELECT o.id, (SELECT name FROM accounts a WHERE a.account_number = o.account_number) FROM other o WHERE o.id = 1", "1|Ada"},
			{"SELECT a.ssn FROM other o, accounts a WHERE o.account_number = a.account_number AND o.id = 2", ssn2},
			{"SELECT ssn FROM accounts WHERE account_number = 's1' FOR UPDATE", ssn1},
		}
		for _, tt := range tests {
			s.want(tt.want, tt.query)
		}
		if len(tests) != 16 {
			t.Error("the number of cases changed")
		}
		_, err := s.sealed.Query("SELECT o.id, (SELECT ssn FROM accounts a WHERE a.account_number = o.account_number) FROM other o")
		if !errors.Is(err, driver.ErrRefused) {
			t.Errorf("a value whose row is hidden: %v", err)
		}
	})
}

// TestTransactionsAreTheUsers: row-by-row updates take part in them, also when
// they were begun as SQL text, and do not end them.
func TestTransactionsAreTheUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('t1', 'x', ?), ('t2', 'x', ?)", ssn1, ssn1)
		conn, err := s.sealed.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, text := range []string{"BEGIN", "UPDATE accounts SET ssn = '" + ssn2 + "' WHERE name = 'x'", "ROLLBACK"} {
			if _, err := conn.ExecContext(ctx, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		s.want(ssn1+"\n"+ssn1, "SELECT ssn FROM accounts ORDER BY account_number")
		tx, err := s.sealed.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, s.q("UPDATE accounts SET ssn = ? WHERE name = ?"), ssn2, "x"); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := tx.QueryRowContext(ctx, "SELECT ssn FROM accounts WHERE account_number = 't1'").Scan(&got); err != nil || got != ssn2 {
			t.Errorf("within the transaction: %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		s.want(ssn2+"\n"+ssn2, "SELECT ssn FROM accounts ORDER BY account_number")
	})
}
