package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestUpsertsByASearchedColumnFromManyConnections has eight workers upsert and delete rows
// by their e-mail, which is not the row key that the rows' values are bound to. Each value
// opens in its row afterwards, and each row is found by its e-mail.
func TestUpsertsByASearchedColumnFromManyConnections(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, writtenDir)
			w.restore() // the sequence follows the seed
			db := w.pair("")[0]
			var id, done atomic.Int64
			id.Store(1000)
			table, upsert := "serials", func(email, ssn string) (string, []any) {
				return "INSERT INTO serials (email, ssn) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET ssn = EXCLUDED.ssn", []any{email, ssn}
			}
			if server.Name == "mysql" {
				table, upsert = "contacts", func(email, ssn string) (string, []any) {
					return "INSERT INTO contacts (id, email, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{id.Add(1), email, ssn}
				}
			}
			var wg sync.WaitGroup
			for worker := range 8 {
				wg.Go(func() {
					for i := range 30 {
						n := (worker + i) % 4
						text, args := upsert(fmt.Sprintf("race%c@leak.example", 'a'+n), fmt.Sprintf("93%d-00-%04d", n, worker*100+i))
						if i%7 == 6 {
							text, args = "DELETE FROM "+table+" WHERE email = "+w.placeholder(1), []any{fmt.Sprintf("race%c@leak.example", 'a'+n)}
						}
						var err error
						for range 50 { // an application repeats what met a deadlock
							if _, err = db.Exec(text, args...); !slices.Contains([]string{"SQLSTATE 40P01", "error 1213", "error 1205"}, class(err)) {
								break
							}
						}
						if err != nil {
							t.Errorf("%s: %v", text, err)
							continue
						}
						done.Add(1)
					}
				})
			}
			wg.Wait()
			if done.Load() != 8*30 {
				t.Errorf("only %d statements were carried out", done.Load())
			}
			for n := range 4 {
				email := fmt.Sprintf("race%c@leak.example", 'a'+n)
				rows, err := db.Query("SELECT ssn FROM "+table+" WHERE email = "+w.placeholder(1), email)
				if err != nil {
					t.Fatal(err)
				}
				var a answer
				a.read(rows)
				if _ = rows.Close(); a.err != nil || len(a.rows) > 1 || len(a.rows) == 1 && !strings.HasPrefix(a.rows[0], fmt.Sprintf("93%d-", n)) {
					t.Errorf("%s: %d rows, %v", email, len(a.rows), a.err)
				}
			}
			w.checkTerms(&corpus.Case{Text: "the race"}, searchable)
		})
	}
}

// TestAKeptValueKeepsItsLackOfATerm has rows from before their column was searchable: an
// UPDATE that keeps such a value does not give it another value's term.
func TestAKeptValueKeepsItsLackOfATerm(t *testing.T) {
	n := 0
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, writtenDir)
			db := w.pair("")[0]
			for _, set := range []string{"COALESCE(email, $)", "CASE WHEN email IS NULL THEN $ ELSE email END", "COALESCE(email, CASE WHEN id = 1 THEN $ END)"} {
				n++
				if _, err := w.admin[0].Exec("UPDATE contacts SET email_eq = NULL WHERE id = 1"); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec("UPDATE contacts SET email = "+strings.Replace(set, "$", w.placeholder(1), 1)+" WHERE id = 1", "new@leak.example"); err != nil {
					t.Errorf("%s: %v", set, err)
				}
				var email string
				var term sql.NullString
				err := errors.Join(db.QueryRow("SELECT email FROM contacts WHERE id = 1").Scan(&email), w.admin[0].QueryRow("SELECT email_eq FROM contacts WHERE id = 1").Scan(&term))
				if err != nil || email != "ada@leak.example" || term.Valid {
					t.Errorf("%s: the value is %t its own, and it has a term: %t (%v)", set, email == "ada@leak.example", term.Valid, err)
				}
			}
		})
	}
	if n == 0 || n%3 != 0 {
		t.Errorf("%d cases ran", n)
	}
}

// TestErrorsOfWritesOfTerms holds errors to what an application decides on.
func TestErrorsOfWritesOfTerms(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, writtenDir)
			db := w.pair("")[0]
			text := "INSERT INTO contacts (id, tenant_id, email, phone) VALUES (" + w.placeholder(1) + ", " + w.placeholder(2) + ", " + w.placeholder(3) + ", " + w.placeholder(4) + ")"
			_, err := db.ExecContext(context.Background(), text, 77, 1, "ada@leak.example", nil)
			pg, isPG := errors.AsType[*pgconn.PgError](err)
			my, isMy := errors.AsType[*gomysql.MySQLError](err)
			if !(isPG && pg.Code == "23505" && pg.ConstraintName == "contacts_email_key" || isMy && my.Number == 1062 && strings.Contains(my.Message, "contacts_email_key")) {
				t.Errorf("an e-mail that is taken: %v", err)
			}
			// A term that depends on the tenant cannot be made for NULL.
			if _, err := db.Exec(text, 77, nil, "new@leak.example", "901-11-0011"); !errors.Is(err, fault.ErrValue) {
				t.Errorf("a number of no tenant: %v", err)
			}
			var n int
			if err := w.admin[0].QueryRow("SELECT count(*) FROM contacts WHERE id = 77").Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows were written (%v)", n, err)
			}
		})
	}
}
