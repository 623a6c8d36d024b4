// Package load has clients visit both Regions' sites while drills go on, and
// holds every page that they get against what the page should have been.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/internal/visitor"
)

// Config describes a run.
type Config struct {
	Clients int
	// Duration is the run's, and Every the time from one drill to the next.
	Duration, Every time.Duration
	// Pace is how long a client waits between two pages on average.
	Pace time.Duration
	// Out is told of each drill.
	Out io.Writer
}

// Result is what came of a run.
type Result struct {
	// Pages counts pages by what was asked for and what came; Drills counts
	// troubles and their ends.
	Pages  map[string]int
	Drills int
	// Clear counts the clear pages that a drill is there to show: integrity
	// pages of swapped accounts, and pages of a Region whose database is lost.
	Clear int
	// Wrong are pages that said what is not so, Failed errors that no drill
	// explains; the first of each.
	Wrong, Failed []string
	wrong, failed int
	latencies     map[string][]time.Duration // by Region
}

// Counts returns how many pages were wrong and how many failed.
func (r *Result) Counts() (wrong, failed int) { return r.wrong, r.failed }

// account is one that a client created or that was there.
type account struct {
	local.Customer
	created time.Time
}

// span is a time in which a drill explains a page. It is open while to is zero.
type span struct{ from, to time.Time }

func (s span) meets(from, to time.Time) bool {
	return !to.Before(s.from) && (s.to.IsZero() || !from.After(s.to))
}

type run struct {
	c     Config
	world *local.World

	mu       sync.Mutex
	result   Result
	accounts []account
	// everywhere is the time up to which what was written is in both databases.
	everywhere time.Time
	swaps      map[string][]span // by account
	lost       map[string][]span // by Region whose database is gone
	number     int
}

// Run drives the load on a World and returns what came of it. The World's
// sites must not limit attempts.
func Run(ctx context.Context, w *local.World, c Config) (*Result, error) {
	r := &run{c: c, world: w, swaps: map[string][]span{}, lost: map[string][]span{}, everywhere: time.Now(),
		result: Result{Pages: map[string]int{}, latencies: map[string][]time.Duration{}}}
	for _, customer := range local.Customers {
		r.accounts = append(r.accounts, account{Customer: customer})
	}
	ctx, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: c.Clients}
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	for range c.Clients {
		wg.Go(func() { r.client(ctx, transport) })
	}
	wg.Go(func() { r.follow(ctx) })
	err := r.drill(ctx)
	wg.Wait()
	return &r.result, err
}

// follow notes how far the replica has come.
func (r *run) follow(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at := time.Now()
		if r.world.CatchUp(ctx) == nil { // there may be no replica now
			r.mu.Lock()
			r.everywhere = at
			r.mu.Unlock()
		}
	}
}

// step is a drill, with the Region or the accounts that it is about.
type step struct {
	id   string
	with url.Values
}

// steps are what is done at each tick, one after the other: a trouble, then its
// end and what the run-book says is to be done. Without the repair a value that
// was written while one Region's KMS was away would not open while the other's is.
// A Region that throttled is asked at a low rate for some seconds more: until then the
// other Region's KMS is left alone.
func steps() [][]step {
	at := func(id string, region int) step { return step{id, url.Values{"region": {local.Regions[region]}}} }
	repair := step{"repair", nil}
	pair := url.Values{"a": {local.Customers[0].Number}, "b": {local.Customers[1].Number}}
	return [][]step{
		{at("throttle", 0)}, {at("heal", 0), repair},
		{{"swap", pair}}, {{"unswap", nil}},
		{{"promote", nil}}, {{"rebuild", nil}},
		{at("down", 0)}, {at("heal", 0), repair},
		{at("hang", 1)}, {at("heal", 1), repair},
		{at("disable", 1)}, {at("enable", 1), repair},
	}
}

func (r *run) drill(ctx context.Context) error {
	tick := time.NewTicker(r.c.Every)
	defer tick.Stop()
	all := steps()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, s := range all[i%len(all)] {
			r.before(s)
			did, err := r.world.Do(context.WithoutCancel(ctx), s.id, s.with)
			if err != nil {
				return fmt.Errorf("drill %s: %w", s.id, err)
			}
			r.after(s)
			_, _ = fmt.Fprintf(r.c.Out, "  %s  %s\n", time.Now().Format("15:04:05"), did) // progress only
		}
		r.mu.Lock()
		r.result.Drills++
		r.mu.Unlock()
	}
}

// before opens the time in which a drill explains pages, and after ends it.
func (r *run) before(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s.id {
	case "swap":
		for _, a := range []string{s.with.Get("a"), s.with.Get("b")} {
			r.swaps[a] = append(r.swaps[a], span{from: time.Now()})
		}
	case "promote":
		// Both Regions' connections and the question who takes writes are in motion.
		r.lost[r.world.Writer()] = append(r.lost[r.world.Writer()], span{from: time.Now()})
	}
}

// settled is how long the sites may take to notice what has ended: they ask
// their databases once a second, and pooled connections end at their next use.
const settled = 3 * time.Second

func (r *run) after(s step) {
	var all map[string][]span
	switch s.id {
	case "unswap":
		all = r.swaps
	case "rebuild":
		all = r.lost
	default:
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, spans := range all {
		for i := range spans {
			if spans[i].to.IsZero() {
				spans[i].to = time.Now().Add(settled)
			}
		}
	}
}

func (r *run) client(ctx context.Context, transport http.RoundTripper) {
	visitors := map[string]*visitor.Visitor{}
	for _, region := range local.Regions {
		v, err := visitor.New(r.world.URL(region), transport)
		if err != nil {
			r.fail("client: %v", err)
			return
		}
		visitors[region] = v
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.c.Pace/2 + rand.N(r.c.Pace)):
		}
		region := local.Regions[rand.N(len(local.Regions))]
		switch n := rand.N(20); {
		case n == 0:
			writer := r.world.Writer()
			r.create(ctx, writer, visitors[writer])
		case n < 4:
			r.signIn(ctx, region, visitors[region], false)
		default:
			r.signIn(ctx, region, visitors[region], true)
		}
	}
}

func (r *run) create(ctx context.Context, region string, v *visitor.Visitor) {
	r.mu.Lock()
	r.number++
	c := local.Customer{Number: fmt.Sprintf("62%08d", r.number), User: fmt.Sprintf("load-%d", r.number), PIN: fmt.Sprintf("%08d", rand.N(100_000_000))}
	r.mu.Unlock()
	began := time.Now()
	got, err := v.Create(ctx, c.Number, c.User, c.PIN)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	explained := r.regionLost(region, began)
	switch {
	case err != nil:
		r.failLocked("create in %s: %v", region, err)
	case got.Outcome == "created":
		r.accounts = append(r.accounts, account{c, time.Now()})
		r.count(region, "create", got)
	case (got.Outcome == "unavailable" || got.Outcome == "readonly") && explained:
		r.result.Clear++
		r.count(region, "create", got)
	default:
		r.failLocked("create in %s: the page says %s (status %d)", region, got.Outcome, got.Status)
	}
}

func (r *run) signIn(ctx context.Context, region string, v *visitor.Visitor, right bool) {
	a := r.pick()
	pin := a.PIN
	if !right {
		pin = "99" + a.PIN
	}
	began := time.Now()
	got, err := v.Authenticate(ctx, a.Number, pin)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := time.Now()
	swapped := slices.ContainsFunc(r.swaps[a.Number], func(s span) bool { return s.meets(began, ended) })
	what := map[bool]string{true: "right PIN", false: "wrong PIN"}[right]
	switch {
	case err != nil:
		r.failLocked("%s in %s: %v", what, region, err)
	case got.Outcome == "integrity" && swapped, got.Outcome == "unavailable" && r.regionLost(region, began):
		r.result.Clear++
		r.count(region, what, got)
	case right && got.Outcome == "no", !right && got.Outcome == "yes", got.Outcome == "integrity":
		r.result.wrong++
		r.result.Wrong = append(r.result.Wrong, fmt.Sprintf("%s of %s in %s: the page says %s", what, a.Number, region, got.Outcome))
	case right && got.Outcome == "yes", !right && got.Outcome == "no":
		r.count(region, what, got)
	default:
		r.failLocked("%s in %s: the page says %s (status %d)", what, region, got.Outcome, got.Status)
	}
}

// pick returns an account that both databases have, often one of the first.
func (r *run) pick() account {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.accounts)
	for n > len(local.Customers) && !r.accounts[n-1].created.Before(r.everywhere) {
		n--
	}
	if rand.N(4) == 0 {
		n = len(local.Customers)
	}
	return r.accounts[rand.N(n)]
}

func (r *run) regionLost(region string, began time.Time) bool {
	return slices.ContainsFunc(r.lost[region], func(s span) bool { return s.meets(began, time.Now()) })
}

func (r *run) count(region, what string, got visitor.Result) {
	r.result.Pages[what+": "+got.Outcome]++
	r.result.latencies[region] = append(r.result.latencies[region], got.Took)
}

func (r *run) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLocked(format, args...)
}

func (r *run) failLocked(format string, args ...any) {
	r.result.failed++
	r.result.Failed = append(r.result.Failed, time.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// Print writes the figures, and returns an error if anything was wrong.
func (r *Result) Print(out io.Writer) error {
	pages := 0
	for _, n := range r.Pages {
		pages += n
	}
	_, err := fmt.Fprintf(out, "\n%d pages, %d drills\n\n", pages, r.Drills)
	for _, what := range slices.Sorted(maps.Keys(r.Pages)) {
		_, e := fmt.Fprintf(out, "  %-28s %7d\n", what, r.Pages[what])
		err = errors.Join(err, e)
	}
	for _, region := range slices.Sorted(maps.Keys(r.latencies)) {
		all := r.latencies[region]
		slices.Sort(all)
		at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))].Round(time.Millisecond) }
		_, e := fmt.Fprintf(out, "  %-12s median %s, 99 of 100 within %s, longest %s\n", region, at(0.5), at(0.99), at(1))
		err = errors.Join(err, e)
	}
	_, e := fmt.Fprintf(out, "\n  wrong answers %d, errors %d, the drills' own clear pages %d\n", r.wrong, r.failed, r.Clear)
	for _, line := range slices.Concat(r.Wrong[:min(5, len(r.Wrong))], r.Failed[:min(5, len(r.Failed))]) {
		_, _ = fmt.Fprintln(out, "  ", line) // the counts are what matters
	}
	if r.wrong > 0 || r.failed > 0 {
		e = errors.Join(e, fmt.Errorf("%d wrong answers, %d errors", r.wrong, r.failed))
	}
	return errors.Join(err, e)
}
