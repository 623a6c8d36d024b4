package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// job is a running job. One goroutine reads pages and many work on them. The goroutine
// that runs the job writes them, in their order.
type job struct {
	c       Config
	t       *target
	w       *worker
	st      *state
	rows    *bucket
	slots   chan struct{}
	began   time.Time
	reads   int64
	resumed bool
	// intended are digests of values that this job was about to write, when a
	// page was interrupted: a row that holds one was changed by it.
	intended map[string]bool
	forecast *Forecast
	origins  []Origin
}

// Run carries out a job and reports what it did; the report is meaningful
// beside an error, too. When it returns ErrStopped or the context's error, what was
// recorded is done, and Resume goes on from there.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.complete(); err != nil {
		return Report{}, err
	}
	j := &job{c: c, rows: newBucket(c.RowsPerSecond), slots: make(chan struct{}, c.Concurrency), began: time.Now(), st: &state{}}
	opts := append(append([]driver.Option{}, c.Options...), driver.WithPolicy(c.Policy))
	if c.Mode == Reencrypt {
		opts = append(opts, driver.WithOlderSuites())
	}
	plain := opts
	if !c.CheckAll {
		opts = append(opts[:len(opts):len(opts)], driver.WithSelfCheck())
	}
	sealer, err := driver.NewSealer(c.DB, opts...)
	if err != nil {
		return j.report(), err
	}
	defer func() { _ = sealer.Close() }() // it closes no connection
	if j.w, err = newWorker(&j.c, sealer, plain); err != nil {
		return j.report(), err
	}
	defer func() { _ = j.w.close() }() // the same
	if j.t, err = newTarget(ctx, &j.c, sealer); err != nil {
		return j.report(), err
	}
	j.w.prices(j.t)
	if err := j.w.warm(ctx); err != nil {
		return j.report(), err
	}
	if c.DryRun {
		j.c.Checkpoint, j.forecast = nil, &Forecast{}
	}
	if j.c.Checkpoint == nil {
		j.c.Checkpoint = none{}
	}
	defer func() { _ = j.c.Checkpoint.close() }() // what was to be recorded is
	if err := j.open(ctx); err != nil {
		return j.report(), err
	}
	err = j.run(ctx)
	if c.FindOrigin && ctx.Err() == nil {
		if bad := j.findOrigins(ctx); err == nil {
			err = bad
		}
	}
	if j.forecast != nil {
		j.forecast.finish(&j.c, j.st.Changed)
	}
	return j.report(), err
}

// fingerprint changes with whatever changes what the job does to a value.
func (j *job) fingerprint() string {
	ring, _ := j.c.Policy.Keyring(j.t.policy.Keyring)
	described := j.t.policy
	described.Line = 0
	search := equalityText(described.Equality)
	described.Equality, described.Paths = nil, slices.Clone(described.Paths) // no pointers, which are others in each process
	for i := range described.Paths {
		p := &described.Paths[i]
		search += equalityText(p.Equality)
		p.Equality, p.Line = nil, 0
	}
	text := fmt.Sprintf("%s %+v %+v %+v %+v %v %v %d", j.c.Job(), described, ring.KMS, ring.RawAES, ring.DataKey, ring.Suite+string(ring.Format), j.c.Force, j.c.Shards) + search
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:8])
}

// equalityText is what a search does to values; empty for none.
func equalityText(e *policy.Equality) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf(" %v %v %d %s %s", e.Keys, e.Normalise, e.Bits, e.Per, e.Group)
}

// open takes the checkpoint and decides where to begin.
func (j *job) open(ctx context.Context) error {
	var found *state
	err := retry(ctx, j.c.Patience, j.transient, func() (err error) {
		found, err = j.c.Checkpoint.open(ctx, j.c.Job())
		return err
	})
	if err != nil {
		return err
	}
	print := j.fingerprint()
	j.st = &state{Fingerprint: print}
	switch {
	case found == nil || j.c.Restart || found.Done && !j.c.Resume:
		if found != nil {
			j.st.Page = found.Page
		}
	case !j.c.Resume:
		return fmt.Errorf("%w: %q stopped after %d rows; resume it, or restart it from the beginning", ErrUnfinished, j.c.Job(), found.Read)
	case found.Fingerprint != print:
		return fmt.Errorf("%w: %q was begun under another policy or with other settings; finish it with those, or restart it", ErrUnfinished, j.c.Job())
	default:
		j.st, j.resumed = found, true
	}
	j.intended = make(map[string]bool, len(j.st.Intended))
	for _, d := range j.st.Intended {
		j.intended[d] = true
	}
	j.w.resumed = j.intended
	return nil
}

func (j *job) transient(err error) bool {
	return !errors.Is(err, ErrRunning) && j.t.jobs.Transient(err)
}

func (j *job) run(ctx context.Context) error {
	if len(j.st.Failures) > 0 {
		if err := j.settle(ctx, j.st.Failures); err != nil {
			return err
		}
	}
	if j.st.Done {
		return nil
	}
	end, err := j.pages(ctx)
	if err != nil {
		return err
	}
	if !end {
		return ErrStopped
	}
	next := j.st.clone()
	next.Done = true
	return j.record(ctx, next, nil, nil)
}

// page is a run of rows on its way.
type page struct {
	rows     []*server.JobRow
	outcomes []outcome
	done     chan struct{} // closed when every row has its outcome
	err      error         // reading failed; there are no rows
}

// pages works through the key space. end is false if it was stopped before.
func (j *job) pages(ctx context.Context) (end bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *page, 2)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		end = j.read(ctx, queue)
	})
	for p := range queue {
		if err = p.err; err == nil {
			<-p.done
			err = j.finish(ctx, p)
		}
		if err != nil {
			cancel()
			for p := range queue { // let the work in hand end
				if p.err == nil {
					<-p.done
				}
			}
			break
		}
	}
	reader.Wait()
	return end && err == nil, err
}

// read sends pages until there are none, or until it is told to stop.
func (j *job) read(ctx context.Context, queue chan<- *page) (end bool) {
	after := j.st.After
	for {
		select {
		case <-j.c.Stop:
			return false
		case <-ctx.Done():
			queue <- &page{err: ctx.Err()}
			return false
		default:
		}
		p := &page{done: make(chan struct{})}
		p.err = j.readPage(ctx, p, after)
		if p.err == nil && len(p.rows) == 0 {
			return true
		}
		if p.err == nil {
			after = p.rows[len(p.rows)-1].Key
			j.work(ctx, p)
		}
		queue <- p
		if p.err != nil {
			return false
		}
		if len(p.rows) < j.c.PageRows {
			return true
		}
	}
}

func (j *job) readPage(ctx context.Context, p *page, after []string) error {
	if err := j.hold(ctx); err != nil {
		return err
	}
	var args []string
	if after != nil {
		args = j.t.jobs.AfterArgs(after)
	}
	return retry(ctx, j.c.Patience, j.transient, func() (err error) {
		p.rows, err = j.t.query(ctx, j.c.DB, j.t.page(after != nil, j.c.PageRows), args)
		return err
	})
}

// work starts deciding the page's rows; at most Concurrency rows of all pages
// are worked on at a time.
func (j *job) work(ctx context.Context, p *page) {
	p.outcomes = make([]outcome, len(p.rows))
	var wg sync.WaitGroup
	wg.Add(len(p.rows))
	go func() {
		for i := range p.rows {
			j.slots <- struct{}{}
			go func() {
				defer func() { <-j.slots; wg.Done() }()
				if err := ctx.Err(); err != nil {
					p.outcomes[i] = fail("stopped", err)
					return
				}
				p.outcomes[i] = j.w.decide(ctx, p.rows[i])
			}()
		}
		wg.Wait()
		close(p.done)
	}()
}

// finish writes a page, records it, and settles the rows that changed meanwhile.
func (j *job) finish(ctx context.Context, p *page) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := usable(p); err != nil {
		return err
	}
	j.intended = maps.Clone(j.w.resumed) // what earlier pages wrote is behind us
	if j.forecast != nil {
		j.forecast.add(p)
	}
	next := j.st.clone()
	next.After = p.rows[len(p.rows)-1].Key
	next.Read += int64(len(p.rows))
	j.reads += int64(len(p.rows))
	if err := j.record(ctx, next, p.rows, p.outcomes); err != nil {
		return err
	}
	var moved []Failure
	for _, f := range j.st.Failures {
		if f.Reason == reasonChanging {
			moved = append(moved, f)
		}
	}
	if err := j.settle(ctx, moved); err != nil {
		return err
	}
	if j.c.Progress != nil {
		j.c.Progress(j.report())
	}
	if j.c.MaxFailures >= 0 && len(j.st.Failures) > j.c.MaxFailures {
		return fmt.Errorf("%w: %d, and max-failures is %d", ErrTooManyFailures, len(j.st.Failures), j.c.MaxFailures)
	}
	return nil
}

// hopeless is how many values of a page must have found KMS out of use, and none
// in use, for the job to end there. Fewer are rows that failed: their key may be disabled.
const hopeless = 10

// usable refuses a page of which no value could be worked on because KMS could
// not be used: the page is not done, and the job ends.
func usable(p *page) error {
	var first error
	n := 0
	for _, o := range p.outcomes {
		if o.opened {
			return nil
		}
		if o.kind == failed && o.reason == reasonUnavailable {
			if n++; first == nil {
				first = o.err
			}
		}
	}
	if n < hopeless {
		return nil
	}
	return fmt.Errorf("rekey: KMS cannot be used: %w", first)
}

// attempts bounds how often a row that keeps changing is read again.
const attempts = 5

// settle tries rows again that failed, or that changed between reading and writing.
func (j *job) settle(ctx context.Context, rows []Failure) error {
	for n := 0; len(rows) > 0 && n < attempts; n++ {
		var changing []Failure
		for len(rows) > 0 {
			batch := rows[:min(len(rows), j.c.PageRows)]
			rows = rows[len(batch):]
			if err := j.again(ctx, batch); err != nil {
				return err
			}
		}
		for _, f := range j.st.Failures {
			if f.Reason == reasonChanging {
				changing = append(changing, f)
			}
		}
		rows = changing
	}
	return nil
}

// again reads rows by their key and works on them as on a page.
func (j *job) again(ctx context.Context, batch []Failure) error {
	p := &page{done: make(chan struct{})}
	next := j.st.clone()
	for _, f := range batch {
		next.drop(f)
		var found []*server.JobRow
		err := retry(ctx, j.c.Patience, j.transient, func() (err error) {
			found, err = j.t.query(ctx, j.c.DB, j.t.byKey(), f.Key)
			return err
		})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			next.add(skip(reasonGone), 1)
		}
		p.rows = append(p.rows, found...)
	}
	j.work(ctx, p)
	<-p.done
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := usable(p); err != nil {
		return err
	}
	return j.record(ctx, next, p.rows, p.outcomes)
}

// drop takes a failure out of the state.
func (s *state) drop(f Failure) {
	for i := range s.Failures {
		if s.Failures[i].Row == f.Row && sameKey(s.Failures[i].Key, f.Key) {
			s.Failures = append(s.Failures[:i], s.Failures[i+1:]...)
			s.Failed--
			return
		}
	}
}

func sameKey(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (j *job) report() Report {
	r := Report{Job: j.c.Job(), Mode: j.c.Mode, Table: j.c.Table, Column: j.c.Column, Counts: j.st.Counts.clone(),
		Done: j.st.Done, Resumed: j.resumed, Failures: append([]Failure(nil), j.st.Failures...), Elapsed: time.Since(j.began), Reads: j.reads, Forecast: j.forecast, Origins: j.origins}
	if j.w != nil {
		r.KMSCalls = j.w.calls()
	}
	return r
}

// calls is how many calls of KMS were made so far.
func (w *worker) calls() (n int64) {
	all := append([]*driver.ValueSealer{w.sealer}, w.old...)
	if w.checker != nil {
		all = append(all, w.checker)
	}
	for _, s := range all {
		for _, k := range s.KMSCalls() {
			n += int64(k)
		}
	}
	return n
}
