package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func countRows(t *testing.T, db *sql.DB, text string, want int) {
	t.Helper()
	var n int
	if err := db.QueryRow(text).Scan(&n); err != nil || n != want {
		t.Errorf("%s: %d, %v; want %d", text, n, err, want)
	}
}

func wantRefused(t *testing.T, what string, err error, hint string) {
	t.Helper()
	refused, ok := errors.AsType[*driver.RefusedError](err)
	if !ok || !strings.Contains(refused.Hint, hint) {
		t.Errorf("%s: %v; want a refusal with the hint to %s", what, err, hint)
	}
}

// TestManyRowsAreWrittenRowByRow writes so many rows that their keys stand in lists.
func TestManyRowsAreWrittenRowByRow(t *testing.T) {
	const rows = 150
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			sealed, bare := localSite(t, server)
			for id := range rows {
				for _, text := range []string{"INSERT INTO people (id, name) VALUES (%d, 'p%[1]d')", "INSERT INTO accounts (account_number, name) VALUES ('k%d', 'n')"} {
					if _, err := bare.Exec(fmt.Sprintf(text, id+1)); err != nil {
						t.Fatal(err)
					}
				}
			}
			for n, text := range []string{"UPDATE people SET ssn = ? WHERE name <> 'p7'", "UPDATE accounts SET ssn = ? WHERE account_number <> 'k7'"} {
				res, err := sealed.Exec(numberedText(server.Name, text), ssn1)
				if err != nil {
					t.Fatal(err)
				}
				if written, err := res.RowsAffected(); err != nil || written != rows-1 {
					t.Errorf("%s: %d rows, %v", text, written, err)
				}
				found, err := sealed.Query([]string{"SELECT id, ssn FROM people", "SELECT account_number, ssn FROM accounts"}[n])
				if err != nil {
					t.Fatal(err)
				}
				opened := 0
				for found.Next() {
					var key string
					var ssn sql.NullString
					if err := found.Scan(&key, &ssn); err != nil {
						t.Fatal(err)
					}
					if left := strings.TrimPrefix(key, "k") == "7"; ssn.Valid == left || ssn.Valid && ssn.String != ssn1 {
						t.Errorf("%s: row %s holds %v", text, key, ssn)
					}
					opened++
				}
				if err := found.Err(); err != nil || opened != rows {
					t.Errorf("%s: %d rows, %v", text, opened, err)
				}
			}
		})
	}
}

// TestParametersThatAServerCannotCount: literals become parameters, and row by row a
// statement has parameters for each row. The statement is refused before it is sent.
func TestParametersThatAServerCannotCount(t *testing.T) {
	const rows = 22000
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			sealed, bare := localSite(t, server)
			var args []any
			for n := range rows {
				args = append(args, fmt.Sprint("k", n), "n")
			}
			text := "INSERT INTO accounts (account_number, name, ssn) VALUES " + repeated("(?, ?, '900-12-3456')", ", ", rows)
			_, err := sealed.Exec(numberedText(server.Name, text), args...)
			wantRefused(t, "literals beside parameters", err, "send fewer rows at once")
			countRows(t, bare, "SELECT COUNT(*) FROM accounts", 0)
			// Alone they stay literals, and make no parameters.
			short := "INSERT INTO accounts (account_number, ssn) VALUES " + repeated("(?, '900-12-3456')", ", ", 100)
			for n := range 100 {
				short = strings.Replace(short, "?", fmt.Sprintf("'k%d'", n), 1)
			}
			if _, err := sealed.Exec(short); err != nil {
				t.Error(err)
			}
			countRows(t, bare, "SELECT COUNT(*) FROM accounts", 100)
		})
	}
}

// TestAPacketThatTheServerDoesNotTake: ciphertexts make a statement longer than
// max_allowed_packet.
func TestAPacketThatTheServerDoesNotTake(t *testing.T) {
	const packet = 256 << 10
	server := testdb.MySQL(t)
	admin := server.Open(t, server.NewDatabase(t))
	var before int64
	if err := admin.QueryRow("SELECT @@GLOBAL.max_allowed_packet").Scan(&before); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(fmt.Sprint("SET GLOBAL max_allowed_packet = ", packet)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), fmt.Sprint("SET GLOBAL max_allowed_packet = ", before)); err != nil {
			t.Error(err)
		}
	})
	sealed, bare := localSite(t, server)
	const rows = 1000 // each takes about 400 bytes sealed, and 40 in clear
	var args []any
	for n := range rows {
		args = append(args, fmt.Sprint("k", n), ssn1)
	}
	for _, c := range []struct {
		name, text string
		args       []any
	}{
		{"parameters", "INSERT INTO accounts (account_number, ssn) VALUES " + repeated("(?, ?)", ", ", rows), args},
		{"literals", "INSERT INTO accounts (account_number, ssn) VALUES " + literalRows(rows), nil},
	} {
		_, err := sealed.Exec(c.text, c.args...)
		wantRefused(t, c.name, err, "raise max_allowed_packet")
		countRows(t, bare, "SELECT COUNT(*) FROM accounts", 0)
	}
	tx, err := sealed.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for n := range rows {
		if _, err := bare.Exec("INSERT INTO people (id, name) VALUES (?, ?)", n+1, fmt.Sprint("p", n)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = tx.Exec("UPDATE people SET ssn = ?", ssn1)
	wantRefused(t, "row by row", err, "raise max_allowed_packet")
	if _, err := tx.Exec("UPDATE people SET ssn = ? WHERE id <= 100", ssn1); err != nil {
		t.Errorf("the transaction is lost: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	countRows(t, bare, "SELECT COUNT(*) FROM people WHERE ssn IS NOT NULL", 100)
}

// literalRows are rows of a key and a value, as literals.
func literalRows(rows int) string {
	list := make([]string, rows)
	for n := range list {
		list[n] = fmt.Sprintf("('k%d', '%s')", n, ssn1)
	}
	return strings.Join(list, ", ")
}
