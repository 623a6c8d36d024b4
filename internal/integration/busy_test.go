package integration

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestAChangedSessionReadsItsRowsWithoutAskingMore: the catalog is asked before a statement
// is sent, since its rows keep the connection.
func TestAChangedSessionReadsItsRowsWithoutAskingMore(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.set("CREATE SCHEMA there", "CREATE TABLE there.accounts (LIKE public.accounts INCLUDING ALL)", "DROP ROLE IF EXISTS reader", "CREATE ROLE reader",
		"GRANT USAGE ON SCHEMA public, there TO reader", "GRANT ALL ON ALL TABLES IN SCHEMA public, there TO reader")
	cases := 0
	for _, set := range []string{"SET LOCAL search_path = there", "SET LOCAL ROLE reader", "SET search_path = public, there", "SET ROLE reader", "SET LOCAL search_path = nowhere, pg_temp", "CREATE TEMP TABLE x (a int)", "SELECT 1"} {
		for _, text := range []string{"SELECT ssn FROM accounts", "SELECT ssn FROM public.accounts", "SELECT ssn FROM accounts WHERE account_number = 'b1'", "UPDATE accounts SET name = 'x' RETURNING ssn", "SELECT a.ssn, b.ssn FROM accounts a, accounts b",
			"DELETE FROM accounts RETURNING ssn"} {
			cases++
			into := "accounts"
			if strings.Contains(text, "public.") {
				into = "public.accounts"
			}
			if strings.Contains(set, "nowhere") && into == "accounts" {
				continue // it is not in reach
			}
			s.onConn(func(c *sql.Conn) {
				tx, err := c.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tx.Exec(set); err != nil {
					t.Fatal(err)
				}
				if _, err := tx.Exec("INSERT INTO "+into+" (account_number, ssn) VALUES ('b1', $1), ('b2', $1)", ssn1); err != nil {
					t.Fatal(err)
				}
				rows, err := tx.Query(text)
				if err != nil {
					t.Fatalf("%s; %s: %v", set, text, err)
				}
				n := 0
				for rows.Next() {
					n++
				}
				if err := rows.Err(); err != nil || n == 0 {
					t.Errorf("%s; %s: %d rows, %v", set, text, n, err)
				}
				if err := tx.Rollback(); err != nil {
					t.Errorf("%s; %s: the transaction is lost: %v", set, text, err)
				}
			})
		}
	}
	if cases != 42 {
		t.Errorf("%d cases", cases)
	}
}

// asking is a QueryRewriter that asks the connection it is given.
type asking struct{ id int }

func (a asking) RewriteQuery(ctx context.Context, conn *pgx.Conn, text string, _ []any) (string, []any, error) {
	var name string
	if err := conn.QueryRow(ctx, "SELECT 'a' || $1::int", a.id).Scan(&name); err != nil {
		return "", nil, err
	}
	return text, []any{name}, nil
}

// TestAQueryRewriterThatUsesItsConnection gets the connection.
func TestAQueryRewriterThatUsesItsConnection(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a7', ?)", ssn1)
	s.want(ssn1, "SELECT ssn FROM accounts WHERE account_number = $1", asking{7})
	s.want("0", "SELECT count(*) FROM other WHERE account_number = $1 OR true", asking{7})
}

// TestACatalogConnectionThatWasKilled a moment ago is replaced, as database/sql does with
// the user's own.
func TestACatalogConnectionThatWasKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
		conn, err := s.sealed.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for n, text := range []string{"SELECT ssn FROM accounts", "SELECT ssn, o.id FROM accounts LEFT JOIN other o ON o.id = 1", "SELECT p.ssn FROM people p"} {
			if n == 2 {
				s.set("CREATE VIEW honest AS SELECT id FROM other")
			}
			s.killOthers(conn)
			rows, err := conn.QueryContext(t.Context(), text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			for rows.Next() {
			}
			if err := rows.Err(); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// killOthers ends every connection to the database but conn and the one that does it.
func (s *site) killOthers(conn *sql.Conn) {
	s.t.Helper()
	var id int64
	if s.postgres() {
		if err := conn.QueryRowContext(s.t.Context(), "SELECT pg_backend_pid()").Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		s.bareExec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN ($1, pg_backend_pid())", id)
		return
	}
	if err := conn.QueryRowContext(s.t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		s.t.Fatal(err)
	}
	rows, err := s.bare.Query("SELECT CONCAT('KILL ', ID) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID NOT IN (?, CONNECTION_ID())", id)
	if err != nil {
		s.t.Fatal(err)
	}
	var kills []string
	for rows.Next() {
		var kill string
		if err := rows.Scan(&kill); err != nil {
			s.t.Fatal(err)
		}
		kills = append(kills, kill)
	}
	if err := rows.Close(); err != nil {
		s.t.Fatal(err)
	}
	for _, kill := range kills {
		_, _ = s.bare.Exec(kill) // it may have ended by itself
	}
}
