package integration

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

var (
	speedRows   = flag.Int("searchspeed.rows", 3000, "how many rows the larger table has that searches are measured in")
	speedRounds = flag.Int("searchspeed.rounds", 1, "how often searches are measured")
)

var numberedPlaceholder = regexp.MustCompile(`\$\d`)

const (
	smallTable = 10_000 // rows of the table that the larger one is compared with
	sealedRows = 200    // rows whose values are sealed; the others hold terms alone
	perRound   = 20     // statements of each kind
	byTerm     = 2      // the protected database, by the bare driver
)

// TestSearchSpeed measures searches and writes of searchable columns beside the bare
// driver on the twin. It prints ratios, the median of the rounds and their quartiles; a
// short run shows that the measurement works. make bench-search runs it in full.
func TestSearchSpeed(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			small, large := newSpeed(t, server, min(smallTable, *speedRows)), newSpeed(t, server, *speedRows)
			var found, grown, bareGrown, termGrown, written []float64
			for range *speedRounds {
				search, byText := large.time(0, "SELECT id, email FROM users WHERE email = $1", large.email), large.time(1, "SELECT id, email FROM users WHERE email = $1", large.email)
				sealedKey, bareKey := large.time(0, "SELECT id, email FROM users WHERE id = $1", large.id), large.time(1, "SELECT id, email FROM users WHERE id = $1", large.id)
				found = append(found, (byText+max(0, sealedKey-bareKey))/search)
				grown, bareGrown = append(grown, growth(0, small, large)), append(bareGrown, growth(1, small, large))
				termGrown = append(termGrown, growth(byTerm, small, large))
			}
			// Rows are added when no look-up is left to measure: a server cleans up after them.
			for range *speedRounds {
				plain := large.time(0, "INSERT INTO users (id, tenant_id, note) VALUES ($1, 1, $2)", large.fresh)
				written = append(written, large.time(0, "INSERT INTO users (id, tenant_id, phone) VALUES ($1, 1, $2)", large.fresh)/plain)
			}
			t.Logf("%s, %d rows: bare look-up by an indexed text column and the value's opening, times a look-up by term: %s (at least 0.9)", server, *speedRows, spread(found))
			t.Logf("%s: a look-up among %d rows, times one among %d: %s (at most 1.2; the bare driver's by its text column: %s, by the term: %s)", server, *speedRows, small.rows, spread(grown), spread(bareGrown), spread(termGrown))
			t.Logf("%s: INSERT of a column with a term, times one without: %s (at most 1.1)", server, spread(written))
			if len(found) != *speedRounds || found[0] <= 0 {
				t.Errorf("measured %v", found)
			}
		})
	}
}

// growth is what a look-up costs among many rows, times one among few. Each statement
// among few stands beside one among many, each first in turn: a server's process that
// waited finds its caches cold.
func growth(which int, small, large *speed) float64 {
	var few, many time.Duration
	for n := range perRound {
		if n%2 == 0 {
			few, many = few+small.lookUp(which, n), many+large.lookUp(which, n)
		} else {
			many, few = many+large.lookUp(which, n), few+small.lookUp(which, n)
		}
	}
	return float64(many) / float64(few)
}

// spread is the median of ratios, and their quartiles.
func spread(list []float64) string {
	slices.Sort(list)
	n := len(list)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", list[n/2], list[n/4], list[n*3/4])
}

// speed is a table of users, protected and bare, without a proxy between.
type speed struct {
	*world
	dbs [2]*sql.DB
	// terms are those of the sealed rows, for the bare driver.
	terms [][]byte
	rows  int
	next  int // id of a new row
	// statements are prepared once, as applications do.
	statements map[string]*sql.Stmt
}

func newSpeed(t *testing.T, server *testdb.Server, rows int) *speed {
	w := newWorld(t, server, fuzzSearchDir)
	s := &speed{world: w, rows: rows, next: 10_000_000, statements: map[string]*sql.Stmt{}}
	for i := range s.dbs {
		bare, dsn := server.DSN(server.Addr(), w.names[i])
		if i == 0 {
			s.dbs[i] = open(t, bare, dsn, driver.WithPolicy(w.policy))
		} else {
			s.dbs[i] = openBare(t, bare, dsn)
		}
		s.dbs[i].SetMaxOpenConns(1)
		for n := range sealedRows {
			s.exec(s.dbs[i], w.numbered("INSERT INTO users (id, tenant_id, email) VALUES ($1, 1, $2)"), 1000+n, address(n))
		}
	}
	s.fillUsers()
	s.readTerms()
	return s
}

// readTerms reads the terms of the sealed rows.
func (s *speed) readTerms() {
	list, err := s.admin[0].Query("SELECT email_eq FROM users WHERE email IS NOT NULL AND id >= 1000 ORDER BY id")
	if err != nil {
		s.t.Fatal(err)
	}
	for list.Next() {
		var term []byte
		if err := list.Scan(&term); err != nil {
			s.t.Fatal(err)
		}
		s.terms = append(s.terms, term)
	}
	if err := errors.Join(list.Err(), list.Close()); err != nil || len(s.terms) != sealedRows {
		s.t.Fatalf("%d terms: %v", len(s.terms), err)
	}
}

func address(n int) string { return fmt.Sprintf("user%d@speed.example", n) }

// numbered writes placeholders as the server has them.
func (w *world) numbered(text string) string {
	if w.server.Name == "mysql" {
		return numberedPlaceholder.ReplaceAllString(text, "?")
	}
	return text
}

// fillUsers adds rows: with a term of their own in the protected table, with an address of
// their own in the twin.
func (s *speed) fillUsers() {
	for i, value := range [2]string{"email_eq", "email"} {
		texts := []string{"CREATE INDEX users_phone_eq ON users (phone_eq)", fmt.Sprintf("INSERT INTO users (id, tenant_id, email_eq) SELECT g, 1, sha256(g::text::bytea) FROM generate_series(2000, %d) g", s.rows+2000), "VACUUM ANALYZE users"}
		if i == 1 {
			texts = []string{"SELECT 1", fmt.Sprintf("INSERT INTO users (id, tenant_id, email) SELECT g, 1, 'row' || g || '@speed.example' FROM generate_series(2000, %d) g", s.rows+2000), "VACUUM ANALYZE users"}
		}
		if s.server.Name == "mysql" {
			made := map[string]string{"email_eq": "unhex(sha2(id, 256))", "email": "concat('row', id, '@speed.example')"}[value]
			texts = []string{"CREATE TABLE numbers (id bigint PRIMARY KEY)", "INSERT INTO numbers VALUES (2000)"}
			for n := 1; n < s.rows; n *= 2 {
				texts = append(texts, fmt.Sprintf("INSERT INTO numbers SELECT id + %d FROM numbers LIMIT %d", n, s.rows-n))
			}
			texts = append(texts, "INSERT INTO users (id, tenant_id, "+value+") SELECT id, 1, "+made+" FROM numbers", "ANALYZE TABLE users")
			if i == 0 {
				texts = append(texts, "CREATE INDEX users_phone_eq ON users (phone_eq)")
			}
		}
		for _, text := range texts {
			s.exec(s.admin[i], text)
		}
	}
}

func (s *speed) exec(db *sql.DB, text string, args ...any) {
	s.t.Helper()
	if _, err := db.Exec(text, args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

func (s *speed) email(n int) []any { return []any{address(n % sealedRows)} }
func (s *speed) id(n int) []any    { return []any{1000 + n%sealedRows} }

// fresh is a new row with a value of its own.
func (s *speed) fresh(int) []any {
	s.next++
	return []any{s.next, fmt.Sprintf("95%08d", s.next)}
}

// time is the mean time of one of a round's statements: on the protected database, or on
// the twin.
func (s *speed) time(which int, text string, args func(n int) []any) float64 {
	s.t.Helper()
	stmt := s.prepared(which, text, args(0))
	start := time.Now()
	for n := range perRound {
		s.once(stmt, text, args(n))
	}
	return float64(time.Since(start)) / perRound
}

// lookUp is the time of one look-up by e-mail: on the protected database, on the twin, or,
// for 2, by the term and the bare driver.
func (s *speed) lookUp(which, n int) time.Duration {
	s.t.Helper()
	text, args := "SELECT id, email FROM users WHERE email = $1", s.email(n)
	if which == byTerm {
		text, args = "SELECT id, email FROM users WHERE email_eq = $1", []any{s.terms[n%len(s.terms)]}
	}
	stmt := s.prepared(which, text, args)
	start := time.Now()
	s.once(stmt, text, args)
	return time.Since(start)
}

// prepared is a statement, prepared and run before.
func (s *speed) prepared(which int, text string, args []any) *sql.Stmt {
	s.t.Helper()
	key := fmt.Sprint(which, text)
	stmt := s.statements[key]
	if stmt == nil {
		var err error
		db := s.admin[0]
		if which < len(s.dbs) {
			db = s.dbs[which]
		}
		if stmt, err = db.Prepare(s.numbered(text)); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = stmt.Close() }) // the measurement is over
		s.statements[key] = stmt
		s.once(stmt, text, args)
	}
	return stmt
}

// once runs a statement that shows one row, or writes one.
func (s *speed) once(stmt *sql.Stmt, text string, args []any) {
	s.t.Helper()
	var err error
	if reads(text) {
		var id int
		var email string
		err = stmt.QueryRow(args...).Scan(&id, &email)
	} else {
		_, err = stmt.Exec(args...)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}
