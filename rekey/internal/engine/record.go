package engine

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
)

// record writes a page's new values and the state that follows from them, in
// one transaction where the checkpoint lies in the database. next counts the page's
// rows as read already; their outcomes are added here.
func (j *job) record(ctx context.Context, next *state, rows []*server.JobRow, outcomes []outcome) error {
	next.Page++
	changes, at := j.changes(rows, outcomes)
	next.Intended = nil
	if len(changes) > 0 {
		before := j.st.clone()
		for _, c := range changes {
			d := digest(c.Value)
			before.Intended = append(before.Intended, d)
			j.intended[d] = true
		}
		if err := j.c.Checkpoint.intend(before); err != nil {
			return err
		}
	}
	err := j.send(ctx, next, rows, outcomes, changes, at)
	return exec.EngineOf(j.w.sealer).Named(ctx, j.t.Relation, err)
}

// send writes the changes until a commit has arrived.
func (j *job) send(ctx context.Context, next *state, rows []*server.JobRow, outcomes []outcome, changes []*server.JobChange, at []int) error {
	var written *state
	again := func(err error) bool {
		return !errors.Is(err, ErrCheckpoint) && j.transient(err)
	}
	err := retry(ctx, j.c.Patience, again, func() error {
		if written != nil { // a commit was sent; did it arrive?
			if ok, err := j.c.Checkpoint.written(ctx, written); ok || err != nil {
				return err
			}
		}
		var err error
		written, err = j.commit(ctx, next, rows, outcomes, changes, at)
		return err
	})
	if err != nil {
		return err
	}
	if err := j.c.Checkpoint.after(ctx, written); err != nil {
		return err
	}
	j.st = written
	return nil
}

// changes are the values to write, and which row each is of.
func (j *job) changes(rows []*server.JobRow, outcomes []outcome) (changes []*server.JobChange, at []int) {
	if j.forecast != nil {
		return nil, nil
	}
	for i, o := range outcomes {
		if o.kind == changed {
			changes = append(changes, &server.JobChange{Row: rows[i], Replaces: rows[i].Stored, Value: o.value, Terms: o.terms})
			at = append(at, i)
		}
	}
	return changes, at
}

// commit sends the transaction and returns the state that it brings about. The
// state is returned beside an error, too, if it may have been committed.
func (j *job) commit(ctx context.Context, next *state, rows []*server.JobRow, outcomes []outcome, changes []*server.JobChange, at []int) (*state, error) {
	tx, err := j.c.DB.BeginTx(ctx, j.t.jobs.Transaction())
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	moved := map[int]bool{}
	if len(changes) > 0 {
		done, err := j.t.jobs.Write(ctx, tx, &j.t.JobTable, changes)
		if err != nil {
			return nil, err
		}
		for i, ok := range done {
			if !ok {
				moved[at[i]] = true
			}
		}
	}
	after := next.clone()
	for i, o := range outcomes {
		j.account(ctx, after, rows[i], o, moved[i])
	}
	if err := j.c.Checkpoint.within(ctx, tx, after); err != nil {
		return nil, err
	}
	return after, tx.Commit()
}

// account adds a row's outcome to the counts.
func (j *job) account(ctx context.Context, s *state, r *server.JobRow, o outcome, moved bool) {
	switch {
	case moved:
		o = fail(reasonChanging, errors.New("the row changed between reading and writing; it is read again"))
	case o.kind == right && len(j.intended) > 0 && r.Stored != nil && j.intended[digest(r.Stored)]:
		o.kind = changed // by this job, before it was interrupted
	}
	s.add(o, 1)
	if o.kind != failed {
		return
	}
	f := Failure{Key: r.Key, Reason: o.reason, Error: o.err.Error()}
	if bound, err := j.t.bound(r); err == nil {
		f.Row = j.w.sealer.RowDigest(ctx, j.t.table, bound)
	}
	s.Failures = append(s.Failures, f)
	if !moved {
		j.c.Log.Warn("sealsql: a row failed", "job", j.c.Job(), "row", f.Row, "reason", f.Reason, "error", f.Error)
	}
}

// none is no checkpoint.
type none struct{}

func (none) open(context.Context, string) (*state, error)  { return nil, nil }
func (none) intend(*state) error                           { return nil }
func (none) within(context.Context, *sql.Tx, *state) error { return nil }
func (none) after(context.Context, *state) error           { return nil }
func (none) written(context.Context, *state) (bool, error) { return false, nil }
func (none) close() error                                  { return nil }

// add adds a page to the forecast.
func (f *Forecast) add(p *page) {
	for i, o := range p.outcomes {
		f.KMSCalls += int64(o.calls)
		f.Bytes += int64(len(p.rows[i].Stored))
	}
}

// finish works out price and time: at the rate of KMS calls, of rows, or of ten
// milliseconds a call at the given concurrency, whichever is slowest.
func (f *Forecast) finish(c *Config, rows int64) {
	f.Dollars = float64(f.KMSCalls) * PricePerCall
	seconds := float64(f.KMSCalls) * 0.010 / float64(c.Concurrency)
	if c.KMSPerSecond > 0 {
		seconds = max(seconds, float64(f.KMSCalls)/c.KMSPerSecond)
	}
	if c.RowsPerSecond > 0 {
		seconds = max(seconds, float64(rows)/c.RowsPerSecond)
	}
	f.Took = time.Duration(seconds * float64(time.Second))
}
