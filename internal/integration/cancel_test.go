package integration

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealtest"
)

// TestWhatIsCancelledLeavesNothingBehind: no goroutine, no lock, no half of a
// statement, and a pool of one connection that goes on.
func TestWhatIsCancelledLeavesNothingBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		k, _ := kms()
		s.sealed.SetMaxOpenConns(1)
		for i := range 60 {
			s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES (?, 'n', ?)", fmt.Sprintf("c%02d", i), ssn1)
		}
		for name, work := range map[string]func(context.Context) error{
			"a result in the middle": func(ctx context.Context) error {
				rows, err := s.sealed.QueryContext(ctx, "SELECT ssn FROM accounts")
				if err != nil {
					return err
				}
				for rows.Next() {
				}
				if err := rows.Close(); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("closing the rows: %v", err)
				}
				return rows.Err()
			},
			"a single row": func(ctx context.Context) error {
				return s.sealed.QueryRowContext(ctx, "SELECT ssn FROM accounts").Scan(new(string))
			},
			"an update row by row": func(ctx context.Context) error {
				_, err := s.sealed.ExecContext(ctx, s.q("UPDATE accounts SET ssn = ? WHERE name = 'n'"), ssn2)
				return err
			},
			"an update in a transaction": func(ctx context.Context) error {
				tx, err := s.sealed.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				defer func() { _ = tx.Rollback() }()
				if _, err := tx.ExecContext(ctx, "UPDATE accounts SET name = 'm'"); err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, s.q("UPDATE accounts SET ssn = ? WHERE name = 'm'"), ssn2)
				return err
			},
			"a key that the server makes": func(ctx context.Context) error {
				_, err := s.sealed.ExecContext(ctx, s.q("INSERT INTO people (name, ssn) VALUES ('p', ?)"), ssn1)
				return err
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			k.SetFault("us-east-1", sealtest.Fault{Hang: true})
			done := make(chan error, 1)
			go func() { done <- work(ctx) }()
			if err := k.WaitInFlight(t.Context(), "us-east-1", 1); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrMismatch) {
				t.Errorf("%s: %v", name, err)
			}
			k.Heal()
			soon, stop := context.WithTimeout(t.Context(), 20*time.Second)
			if _, err := s.bare.ExecContext(soon, "UPDATE accounts SET tenant_id = 1"); err != nil {
				t.Errorf("%s: the rows stay locked: %v", name, err)
			}
			stop()
			s.want("60|60", "SELECT count(*), count(CASE WHEN name = 'n' THEN 1 END) FROM accounts")
			s.want("0", "SELECT count(*) FROM people")
			s.want(strings.TrimSuffix(strings.Repeat(ssn1+"\n", 60), "\n"), "SELECT ssn FROM accounts")
			if left := working(t); left != "" {
				t.Errorf("%s leaves goroutines:\n%s", name, left)
			}
		}
		if len(s.events) > 0 {
			t.Errorf("%d events, the first %+v", len(s.events), s.events[0])
		}
	})
}

// working waits for the goroutines that seal and open values to end, and returns the
// stacks of those that do not.
func working(t *testing.T) string {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		buf := make([]byte, 4<<20)
		left := ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "driver.(*openers)") || strings.Contains(g, "driver.(*opening)") || strings.Contains(g, "driver.each") {
				left += g + "\n\n"
			}
		}
		if left == "" || time.Now().After(deadline) {
			return left
		}
		runtime.Gosched()
	}
}
