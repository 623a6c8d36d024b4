package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// ahead is a site with a KMS of its own, filled with rows 000, 001 …, each with
// an ssn that names it.
type ahead struct {
	*site
	k  *sealtest.KMS
	db *sql.DB
}

func newAhead(t *testing.T, s *site, rows int, dsnSuffix string) *ahead {
	t.Helper()
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	t.Setenv("SEALSQL_TEST_KEY", k.CreateKey("us-east-1"))
	p, err := policy.Parse("test", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
		t.Fatal(err)
	}
	bareName, dsn := s.server.DSN(s.proxy.Addr(), name)
	a := &ahead{site: s, k: k, db: open(t, bareName, dsn+dsnSuffix, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert))}
	var args []any
	for i := range rows {
		args = append(args, fmt.Sprintf("%03d", i), fmt.Sprintf("900-55-%04d", i))
	}
	text := "INSERT INTO accounts (account_number, ssn) VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?), ", rows), ", ")
	if _, err := a.db.Exec(s.q(text), args...); err != nil {
		t.Fatal(err)
	}
	k.ResetCalls()
	return a
}

func (a *ahead) decrypts() int { return a.k.Count(sealtest.CallKind{Operation: "Decrypt"}) }

func (a *ahead) query(ctx context.Context, text string, args ...any) *sql.Rows {
	a.t.Helper()
	rows, err := a.db.QueryContext(ctx, a.q(text), args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return rows
}

// idle fails the test unless every connection is back in the pool.
func (a *ahead) idle() {
	a.t.Helper()
	if n := a.db.Stats().InUse; n != 0 {
		a.t.Errorf("%d connections are held", n)
	}
	if err := a.db.QueryRow("SELECT 1").Scan(new(int)); err != nil {
		a.t.Error(err)
	}
}

const numbered = "SELECT account_number, ssn FROM accounts ORDER BY account_number"

func TestReadAheadCostsNoMoreThanTwiceWhatIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for i, read := range []int{0, 1, 2, 3, 10, 300} {
			if i > 0 { // each has a KMS of its own: calls that were given up may still arrive
				s = newSite(t, s.server)
			}
			a := newAhead(t, s, 300, "")
			rows := a.query(t.Context(), numbered)
			for range read {
				var number, ssn string
				if !rows.Next() || rows.Scan(&number, &ssn) != nil || ssn != "900-55-0"+number {
					t.Fatalf("row %q has %q, %v", number, ssn, rows.Err())
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			n := a.decrypts() + a.k.InFlight("us-east-1")
			if n > 3*read || read < 2 && n != read || read == 300 && n != 300 {
				t.Errorf("%d rows read cost %d calls", read, n)
			}
			a.idle()
		}
	})
}

func TestAnErrorComesAfterTheRowsBeforeIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a := newAhead(t, s, 40, "")
		for _, bad := range []int{0, 1, 2, 7, 39} {
			number := fmt.Sprintf("%03d", bad)
			var before []byte
			if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), number).Scan(&before); err != nil {
				t.Fatal(err)
			}
			s.exec2(s.bare, "UPDATE accounts SET ssn = ? WHERE account_number = ?", moved(t, s, bad), number)
			rows, n := a.query(t.Context(), numbered), 0
			for rows.Next() {
				n++
			}
			if !errors.Is(rows.Err(), driver.ErrMismatch) || n != bad {
				t.Errorf("the value of row %d was moved: %d rows, then %v", bad, n, rows.Err())
			}
			s.exec2(s.bare, "UPDATE accounts SET ssn = ? WHERE account_number = ?", before, number)
			a.idle()
		}
	})
}

// moved returns the stored value of another row.
func moved(t *testing.T, s *site, row int) (other []byte) {
	t.Helper()
	if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), fmt.Sprintf("%03d", (row+1)%40)).Scan(&other); err != nil {
		t.Fatal(err)
	}
	return other
}

func (s *site) exec2(db *sql.DB, text string, args ...any) {
	s.t.Helper()
	emitted.secret(args...)
	if _, err := db.Exec(s.q(text), args...); err != nil {
		s.t.Fatal(err)
	}
}

func TestACancelledQueryEndsWhileKMSHangs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a := newAhead(t, s, 50, "")
		ctx, cancel := context.WithCancel(t.Context())
		rows := a.query(ctx, numbered)
		for range 3 {
			rows.Next()
		}
		a.k.SetFault("us-east-1", sealtest.Fault{Hang: true})
		done := make(chan error)
		go func() {
			for rows.Next() {
			}
			done <- rows.Err()
		}()
		if err := a.k.WaitInFlight(t.Context(), "us-east-1", 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		_ = rows.Close() // the query was cancelled
		a.k.Heal()
		a.settled()
		a.idle()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.events) != 0 {
			t.Errorf("a cancelled query raised %+v", s.events)
		}
	})
}

// settled waits until no call is in flight: what was opened ahead has ended.
func (a *ahead) settled() {
	a.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for a.k.InFlight("us-east-1") > 0 {
		select {
		case <-tick.C:
		case <-deadline:
			a.t.Fatal("calls of KMS are left behind")
		}
	}
}

func TestClosingRowsGivesUpWhatWasOpenedAhead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a := newAhead(t, s, 50, "")
		rows := a.query(t.Context(), numbered)
		rows.Next()
		a.k.SetFault("us-east-1", sealtest.Fault{Hang: true})
		result := make(chan struct{})
		go func() { defer close(result); rows.Next() }()
		if err := a.k.WaitInFlight(t.Context(), "us-east-1", 2); err != nil {
			t.Fatal(err)
		}
		a.k.SetFault("us-east-1", sealtest.Fault{}) // the second row comes
		<-result
		a.settled() // and the third is open
		a.k.SetFault("us-east-1", sealtest.Fault{Hang: true})
		if !rows.Next() { // the third was opened ahead; the next ones hang
			t.Fatal(rows.Err())
		}
		if err := a.k.WaitInFlight(t.Context(), "us-east-1", 3); err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		a.settled() // the calls were given up, not answered
		a.idle()
	})
}

func TestAValueThatSeveralRowsShowIsOpenedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a := newAhead(t, s, 5, "")
		for i := range 200 {
			s.exec2(s.bare, "INSERT INTO other (id, account_number) VALUES (?, ?)", i, fmt.Sprintf("%03d", i/40))
		}
		rows := a.query(t.Context(), "SELECT o.id, a.account_number, a.ssn FROM other o JOIN accounts a ON a.account_number = o.account_number ORDER BY o.id")
		n := 0
		for ; rows.Next(); n++ {
			var id int
			var number string
			var ssn []byte
			if err := rows.Scan(&id, &number, &ssn); err != nil {
				t.Fatal(err)
			}
			if string(ssn) != "900-55-0"+number || number != fmt.Sprintf("%03d", id/40) {
				t.Fatalf("row %d: %s has %s", id, number, ssn)
			}
			clear(ssn) // it is the application's
		}
		if err := rows.Err(); err != nil || n != 200 {
			t.Fatalf("%d rows, %v", n, err)
		}
		if d := a.decrypts(); d > 8 { // the first two rows come one by one
			t.Errorf("5 values in 200 rows cost %d calls", d)
		}
		st, err := driver.Stats(a.db)
		if err != nil || st.RowsReadAhead == 0 || opened(st, "accounts", "ssn") != 200 {
			t.Errorf("%d rows read ahead, %d values opened, %v", st.RowsReadAhead, opened(st, "accounts", "ssn"), err)
		}
		// One that was moved fails each row that shows it.
		s.exec2(s.bare, "UPDATE accounts SET ssn = ? WHERE account_number = '004'", moved(t, s, 0))
		for range 2 {
			rows := a.query(t.Context(), "SELECT o.id, a.account_number, a.ssn FROM other o JOIN accounts a ON a.account_number = o.account_number ORDER BY o.id")
			n := 0
			for rows.Next() {
				n++
			}
			if n != 160 || !errors.Is(rows.Err(), driver.ErrMismatch) {
				t.Errorf("%d rows, %v", n, rows.Err())
			}
		}
	})
}

func opened(s alert.Snapshot, table, column string) uint64 {
	for _, c := range s.Columns {
		if c.Table == table && c.Column == column {
			return c.Opened
		}
	}
	return 0
}

func TestBuffersOfTheBaseDriverAreCopied(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a := newAhead(t, s, 100, "")
		rows := a.query(t.Context(), "SELECT account_number, ssn, account_number FROM accounts ORDER BY account_number")
		defer rows.Close()
		for i := 0; rows.Next(); i++ {
			var number, ssn, again sql.RawBytes
			if err := rows.Scan(&number, &ssn, &again); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%03d", i); string(number) != want || string(again) != want || string(ssn) != "900-55-0"+want {
				t.Fatalf("row %d: %s %s %s", i, number, ssn, again)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReadAheadStaysInItsResultSet(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	a := newAhead(t, s, 60, "&multiStatements=true")
	rows := a.query(t.Context(), numbered+"; SELECT 7; "+numbered+" LIMIT 3")
	defer rows.Close()
	for range 5 { // half-way
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	var got []string
	for rows.NextResultSet() {
		for rows.Next() {
			cols, _ := rows.Columns()
			cells := make([]any, len(cols))
			for i := range cells {
				cells[i] = new(string)
			}
			if err := rows.Scan(cells...); err != nil {
				t.Fatal(err)
			}
			for _, c := range cells {
				got = append(got, *c.(*string))
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"7", "000", "900-55-0000", "001", "900-55-0001", "002", "900-55-0002"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
