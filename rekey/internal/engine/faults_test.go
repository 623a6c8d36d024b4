package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// plaintexts makes the table people with rows in clear.
func (s *site) plaintexts(rows int) *policy.Policy {
	s.t.Helper()
	s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
	for i := range rows {
		s.exec("INSERT INTO people VALUES (?, ?)", i, fmt.Sprintf("value %d", i))
	}
	return s.policy(people)
}

// checkpoints are the two kinds, made anew at each call as a new process does.
func (s *site) checkpoints() map[string]func() Checkpoint {
	path := filepath.Join(s.t.TempDir(), "checkpoint")
	return map[string]func() Checkpoint{
		"table": func() Checkpoint { return NewTable(s.db, s.server.Name) },
		"file":  func() Checkpoint { return NewFile(path) },
	}
}

// TestRowsThatChangeMeanwhile: while the values of a page are being sealed, the
// application changes one row, deletes another and seals a third.
func TestRowsThatChangeMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(10)
		v := s.sealer(p)
		sealedByApp := s.seal(v, "people", "ssn", driver.Row{"id": 5}, "the application's")
		s.kms.SetFault(east, sealtest.Fault{Hang: true})
		var r Report
		var err error
		var wg sync.WaitGroup
		c := s.config(Backfill, p)
		wg.Go(func() { r, err = Run(t.Context(), c) })
		if e := s.kms.WaitInFlight(t.Context(), east, 10); e != nil {
			t.Fatal(e)
		}
		s.exec("UPDATE people SET ssn = 'changed' WHERE id = 3")
		s.exec("DELETE FROM people WHERE id = 4")
		s.exec("UPDATE people SET ssn = ? WHERE id = 5", sealedByApp)
		s.exec("UPDATE people SET ssn = NULL WHERE id = 6")
		s.exec("UPDATE people SET id = 100 WHERE id = 7")
		s.kms.Heal()
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		// Rows 4 and 7 left their keys, row 6 is NULL.
		s.want(r, 10, 6, 1, 3, 0)
		s.reads(v, 3, "changed")
		s.reads(v, 5, "the application's")
		s.want(s.run(c), 9, 1, 7, 1, 0) // row 100
	})
}

// TestStoppedAndResumed: a job that is stopped after each page, with both kinds of
// checkpoint, ends with the counts of a job that ran through.
func TestStoppedAndResumed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const rows = 120
		p := s.plaintexts(rows)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			c := s.config(Backfill, p)
			c.PageRows, c.Resume = 4, true
			runs := 0
			for ; runs < 50; runs++ {
				c.Checkpoint = open()
				stop := make(chan struct{})
				var once sync.Once
				c.Stop, c.Progress = stop, func(Report) { once.Do(func() { close(stop) }) }
				r, err := Run(t.Context(), c)
				if !r.AddsUp() {
					t.Fatalf("%s: %+v does not add up", name, r)
				}
				if err == nil {
					s.want(r, rows, rows, 0, 0, 0)
					break
				}
				if !errors.Is(err, ErrStopped) {
					t.Fatal(err)
				}
				other := c
				other.Checkpoint, other.Resume, other.Stop = open(), false, nil
				if _, err := Run(t.Context(), other); !errors.Is(err, ErrUnfinished) {
					t.Errorf("%s: begun anew over an unfinished job: %v", name, err)
				}
			}
			if runs < 2 {
				t.Errorf("%s: it took %d runs", name, runs)
			}
			c.Checkpoint, c.Resume, c.Stop = open(), true, nil
			s.want(s.run(c), rows, rows, 0, 0, 0) // it was done: nothing is read again
		}
	})
}

// TestTheSameJobTwice: the second process is turned away, and the first goes on.
func TestTheSameJobTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(5)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			s.kms.SetFault(east, sealtest.Fault{Hang: true})
			c := s.config(Backfill, p)
			c.Checkpoint = open()
			var r Report
			var err error
			var wg sync.WaitGroup
			wg.Go(func() { r, err = Run(t.Context(), c) })
			if e := s.kms.WaitInFlight(t.Context(), east, 5); e != nil {
				t.Fatal(e)
			}
			second := s.config(Backfill, p)
			second.Checkpoint = open()
			if _, err := Run(t.Context(), second); !errors.Is(err, ErrRunning) {
				t.Errorf("%s: the second run: %v", name, err)
			}
			shard := second
			shard.Checkpoint, shard.Shard, shard.Shards, shard.DryRun = nil, 1, 2, true
			if _, err := Run(t.Context(), shard); err != nil {
				t.Errorf("%s: another shard: %v", name, err)
			}
			s.kms.Heal()
			wg.Wait()
			if err != nil {
				t.Fatal(name, err)
			}
			s.want(r, 5, 5, 0, 0, 0)
		}
	})
}

// TestKMSGoesAway: a page of which nothing could be sealed is not recorded as
// done, and the job goes on from there when KMS is back; rows of the page before it that
// came too late are recorded as failed, and tried again.
func TestKMSGoesAway(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(200)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			c := s.config(Backfill, p)
			c.PageRows, c.Patience, c.Checkpoint, c.Resume = 20, time.Millisecond, open(), true
			c.Progress = func(Report) { s.kms.SetFault("", sealtest.Fault{Reset: true}) }
			r, err := Run(t.Context(), c)
			if !errors.Is(err, driver.ErrKeyUnavailable) || r.Done || r.Read%20 != 0 || r.Read == 200 || !r.AddsUp() {
				t.Errorf("%s: KMS gone: %v, %+v", name, err, r)
			}
			s.kms.Heal()
			c.Checkpoint, c.Progress, c.Patience = open(), nil, 10*time.Second
			s.want(s.run(c), 200, 200, 0, 0, 0)
		}
	})
}

// TestDeniedInTheMiddle: rows whose key is denied are recorded with the reason,
// the job stops after MaxFailures, and resuming tries them again.
func TestDeniedInTheMiddle(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(150)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			c := s.config(Backfill, p)
			c.PageRows, c.MaxFailures, c.Checkpoint, c.Resume = 10, 5, open(), true
			c.Progress = func(Report) { s.kms.Deny(s.keys["MRK"]) }
			r, err := Run(t.Context(), c)
			if !errors.Is(err, ErrTooManyFailures) || r.Failed == 0 || r.Failures[0].Reason != "key_denied" || !r.AddsUp() {
				t.Errorf("%s: %v, %s", name, err, r.String())
			}
			s.kms.Allow(s.keys["MRK"])
			c.Checkpoint, c.Progress = open(), nil
			s.want(s.run(c), 150, 150, 0, 0, 0)
		}
	})
}

// TestTheDiskFillsUp: a page whose intention cannot be recorded is not written,
// and one whose end cannot be recorded is counted as changed by the next run.
func TestTheDiskFillsUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(12)
		path := filepath.Join(t.TempDir(), "checkpoint")
		for full := 1; full <= 7; full++ { // which write of the file fails
			s.exec("UPDATE people SET ssn = 'again'")
			n := 0
			c := s.config(Backfill, p)
			c.PageRows, c.Restart = 4, true
			c.Checkpoint = &file{path: path, write: func(path string, data []byte) error {
				if n++; n == full {
					return syscall.ENOSPC
				}
				return replaceFile(path, data)
			}}
			r, err := Run(t.Context(), c)
			if !errors.Is(err, ErrCheckpoint) || !errors.Is(err, syscall.ENOSPC) || !r.AddsUp() {
				t.Fatalf("write %d: %v", full, err)
			}
			c.Restart, c.Resume, c.Checkpoint = false, true, NewFile(path)
			if full == 1 {
				// Nothing was recorded at all, so there is nothing to go on from.
				c.Resume, c.Restart = false, true
			}
			s.want(s.run(c), 12, 12, 0, 0, 0)
		}
	})
}

// TestInterruptedAnywhere: a job whose context ends at any moment, again and
// again, loses nothing and counts nothing twice.
func TestInterruptedAnywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.plaintexts(60)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			c := s.config(Backfill, p)
			c.PageRows, c.Resume = 7, true
			var r Report
			err := context.Canceled
			for run := 0; err != nil; run++ {
				if run > 300 {
					t.Fatalf("%s: not done after %d runs: %+v", name, run, r)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(run)*3*time.Millisecond)
				c.Checkpoint = open()
				if r, err = Run(ctx, c); err != nil && ctx.Err() == nil {
					t.Fatal(name, err)
				}
				cancel()
			}
			s.want(r, 60, 60, 0, 0, 0)
		}
	})
}

// TestTheDatabaseRestarts in the middle of a job, which goes on by itself.
func TestTheDatabaseRestarts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const rows = 200
		p := s.plaintexts(rows)
		for name, open := range s.checkpoints() {
			s.exec("UPDATE people SET ssn = 'again'")
			c := s.config(Backfill, p)
			c.PageRows, c.Checkpoint, c.Patience = 10, open(), time.Minute
			var once sync.Once
			c.Progress = func(Report) { once.Do(func() { s.server.Restart(t) }) }
			r, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(name, err)
			}
			s.want(r, rows, rows, 0, 0, 0)
		}
	})
}
