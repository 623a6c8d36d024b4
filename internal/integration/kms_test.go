package integration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// TestKMSFaultsReachTheApplication as typed errors, and write nothing.
func TestKMSFaultsReachTheApplication(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		cases := []struct {
			name  string
			fault func(k *sealtest.KMS, arn string)
			want  error
		}{
			{"denied", func(k *sealtest.KMS, arn string) { k.Deny(arn) }, driver.ErrKeyDenied},
			{"disabled", func(k *sealtest.KMS, arn string) { k.DisableKey(arn) }, driver.ErrKeyUnavailable},
			{"gone", func(k *sealtest.KMS, _ string) { k.SetFault("us-east-1", sealtest.Fault{Reset: true}) }, driver.ErrKeyUnavailable},
			{"throttled", func(k *sealtest.KMS, _ string) { k.SetFault("us-east-1", sealtest.Fault{CallsPerSecond: 1e-9}) }, driver.ErrKeyUnavailable},
		}
		for _, c := range cases {
			k := sealtest.NewKMS()
			arn := k.CreateKey("us-east-1")
			t.Setenv("SEALSQL_TEST_KEY", arn)
			p, err := policy.Parse("test", []byte(policyText))
			if err != nil {
				t.Fatal(err)
			}
			var name string
			if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
				t.Fatal(err)
			}
			bareName, dsn := s.server.DSN(s.proxy.Addr(), name)
			db := open(t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
			insert := s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)")
			if _, err := db.Exec(insert, c.name, ssn1); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			c.fault(k, arn)
			if c.name == "throttled" {
				_, _ = db.Exec(s.q("UPDATE accounts SET ssn = ? WHERE account_number = ?"), ssn1, c.name) // takes the one call that is let through
			}
			check := func(what string, err error) {
				if !errors.Is(err, c.want) {
					t.Errorf("%s, %s: %v", c.name, what, err)
				}
				if err != nil && (strings.Contains(err.Error(), ssn1) || strings.Contains(err.Error(), ssn2)) {
					t.Errorf("%s, %s: the error holds the value", c.name, what)
				}
			}
			_, err = db.Exec(insert, c.name+" 2", ssn2)
			check("insert", err)
			_, err = db.Exec(s.q("UPDATE accounts SET ssn = ? WHERE account_number LIKE ?"), ssn2, c.name+"%")
			check("row by row", err)
			check("read", db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), c.name).Scan(new(string)))
			// Rows without a protected value are read all the same.
			if err := db.QueryRow(s.q("SELECT account_number FROM accounts WHERE account_number = ?"), c.name).Scan(new(string)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			k.Close()
		}
		var n int
		if err := s.bare.QueryRow("SELECT count(*) FROM accounts").Scan(&n); err != nil || n != len(cases) || n != 4 {
			t.Errorf("%d rows were written for %d cases, %v", n, len(cases), err)
		}
	})
}

// TestTheDeadlineOfAQueryReachesKMS which takes calls and never answers.
func TestTheDeadlineOfAQueryReachesKMS(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('d', ?)", ssn1)
		k, _ := kms()
		k.SetFault("us-east-1", sealtest.Fault{Hang: true})
		defer k.Heal()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var err error
		wg.Go(func() { err = s.sealed.QueryRowContext(ctx, "SELECT ssn FROM accounts").Scan(new(string)) })
		if e := k.WaitInFlight(t.Context(), "us-east-1", 1); e != nil {
			t.Fatal(e)
		}
		cancel()
		wg.Wait()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
