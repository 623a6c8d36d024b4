package drills

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

var outage = flag.Duration("outage", 2*time.Minute, "with -whole, how long the outage drill runs on each server")

const (
	clients    = 64
	pace       = 200 * time.Millisecond // between a client's operations
	kmsLatency = 5 * time.Millisecond
)

var regions = []string{"us-east-1", "eu-west-1", "ap-southeast-2"} // the first is the process's

// trouble is one Region's fault, for a while.
type trouble struct {
	region, name string
	fault        sealtest.Fault

	began, held, healed, back time.Time // held: calls are held back; back: every value has its wrapping again
}

var faults = []struct {
	name  string
	fault sealtest.Fault
}{
	{"down", sealtest.Fault{Latency: kmsLatency, Reset: true}},
	{"hung", sealtest.Fault{Hang: true}},
	{"throttled", sealtest.Fault{Latency: kmsLatency, CallsPerSecond: 5}},
}

// operation is one statement of a client.
type operation struct {
	began, ended time.Time
	write        bool
	id           int
}

// TestOutage has 64 clients read and write while each of three Regions in turn
// is taken down, hung, throttled to 5 calls a second, and brought back.
func TestOutage(t *testing.T) {
	servers := testdb.Each(t)
	for _, server := range servers[:sized(1, len(servers))] {
		t.Run(server.String(), func(t *testing.T) { runOutage(t, server) })
	}
}

func runOutage(t *testing.T, server *testdb.Server) {
	b := newBase(t, server, "CREATE TABLE accounts (id bigint PRIMARY KEY, ssn BINARY)")
	k := sealtest.NewKMS(sealtest.WithCallLog(0))
	t.Cleanup(k.Close)
	k.SetFault("", sealtest.Fault{Latency: kmsLatency})
	arns := map[string]string{}
	var list []string
	for _, r := range regions {
		arns[r] = k.CreateKey(r)
		list = append(list, arns[r])
	}
	var missing sync.Map
	db := b.open(t, fmt.Sprintf(`
version: 1
keyrings: {pii: {kms: {keys: [%s], when_region_down: degrade}}}
tables: {accounts: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}}
`, strings.Join(list, ", ")), driver.WithAWSConfig(k.AWSConfig(regions[0])), quiet(), driver.WithAlertFunc(func(e alert.Event) { missing.Store(e.Kind, true) }))
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)

	load := &load{t: t, b: b, db: db, stop: make(chan struct{})}
	load.start()
	troubles := causeTrouble(t, k, db)
	load.end()

	for _, f := range load.failed[:min(5, len(load.failed))] {
		t.Errorf("failed: %v", f)
	}
	reads, writes := load.count()
	t.Logf("%s: %d clients, %d reads and %d writes; failed: %d", server.Name, clients, reads, writes, len(load.failed))
	st, err := driver.Stats(db)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: values written without a Region's wrapping: %v", server.Name, st.WrappingsMissing)
	for kind := range missing.Range {
		if kind != alert.WrappingMissing {
			t.Errorf("an event %s was raised", kind)
		}
	}
	latencies(t, server.Name, load.done, troubles)
	absent := verify(t, b, k, arns, load, troubles)
	for r, n := range absent {
		if uint64(n) > st.WrappingsMissing[r] {
			t.Errorf("%d values lack the wrapping of %s, and %d were counted", n, r, st.WrappingsMissing[r])
		}
	}
}

// causeTrouble walks through the faults, Region by Region.
func causeTrouble(t *testing.T, k *sealtest.KMS, db *sql.DB) []*trouble {
	t.Helper()
	var all []*trouble
	for _, r := range sized(regions[:1], regions) {
		for _, f := range faults {
			all = append(all, &trouble{region: r, name: f.name, fault: f.fault})
		}
	}
	slot := sized(1800*time.Millisecond, *outage/time.Duration(len(all)+1))
	pause(slot)
	for _, x := range all {
		x.began = time.Now()
		k.SetFault(x.region, x.fault)
		x.held = held(db, x.region, x.began, slot*2/3)
		if rest := time.Until(x.began.Add(slot * 2 / 3)); rest > 0 {
			pause(rest)
		}
		x.healed = time.Now()
		k.SetFault(x.region, sealtest.Fault{Latency: kmsLatency})
		x.back = full(db, x.region, x.healed, slot/3)
		if rest := time.Until(x.healed.Add(slot / 3)); rest > 0 {
			pause(rest)
		}
	}
	return all
}

// pause lets the load run.
func pause(d time.Duration) { <-time.After(d) }

// held watches for the Region to be held back and returns when that was; the
// zero time if it was not.
func held(db *sql.DB, region string, from time.Time, within time.Duration) time.Time {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Since(from) < within {
		if st, err := driver.Stats(db); err == nil && st.KMSRegions[region].BreakerOpen {
			return time.Now()
		}
		<-tick.C
	}
	return time.Time{}
}

// full watches for as long as it may and returns when the last value was
// written without the Region's wrapping.
func full(db *sql.DB, region string, from time.Time, within time.Duration) time.Time {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last, n := from, uint64(0)
	for time.Since(from) < within {
		if st, err := driver.Stats(db); err == nil && (st.WrappingsMissing[region] != n || st.KMSRegions[region].BreakerOpen) {
			last, n = time.Now(), st.WrappingsMissing[region]
		}
		<-tick.C
	}
	return last
}

// load is what the clients do.
type load struct {
	t    *testing.T
	b    *base
	db   *sql.DB
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	done   []operation
	failed []error
}

func (l *load) start() {
	for c := range clients {
		l.wg.Go(func() { l.client(c) })
	}
}

func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}

// client writes and reads rows of its own: those whose id is c modulo clients.
func (l *load) client(c int) {
	rnd := rand.New(rand.NewPCG(1, uint64(c)))
	timer := time.NewTimer(time.Duration(rnd.Int64N(int64(pace))))
	defer timer.Stop()
	versions := []int{}
	for {
		select {
		case <-l.stop:
			return
		case <-timer.C:
		}
		began := time.Now()
		op, err := l.step(c, rnd, &versions)
		op.began, op.ended = began, time.Now()
		l.mu.Lock()
		if err != nil {
			l.failed = append(l.failed, fmt.Errorf("write %v, after %s: %w", op.write, op.ended.Sub(began), err))
		} else {
			l.done = append(l.done, op)
		}
		l.mu.Unlock()
		timer.Reset(max(0, pace/2+time.Duration(rnd.Int64N(int64(pace)))-op.ended.Sub(began)))
	}
}

func (l *load) step(c int, rnd *rand.Rand, versions *[]int) (operation, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sized(time.Minute, 10*time.Second))
	defer cancel()
	value := func(id, version int) string { return fmt.Sprintf("900-%d-%d", id, version) }
	switch n := len(*versions); {
	case n == 0 || rnd.IntN(10) < 4:
		op := operation{write: true, id: n*clients + c}
		_, err := l.db.ExecContext(ctx, l.b.q("INSERT INTO accounts (id, ssn) VALUES (?, ?)"), op.id, value(op.id, 0))
		if err == nil {
			*versions = append(*versions, 0)
		}
		return op, err
	case rnd.IntN(6) == 0:
		i := rnd.IntN(n)
		op := operation{write: true, id: i*clients + c}
		(*versions)[i]++
		_, err := l.db.ExecContext(ctx, l.b.q("UPDATE accounts SET ssn = ? WHERE id = ?"), value(op.id, (*versions)[i]), op.id)
		return op, err
	default:
		i := rnd.IntN(n)
		op := operation{id: i*clients + c}
		var got string
		err := l.db.QueryRowContext(ctx, l.b.q("SELECT id, ssn FROM accounts WHERE id = ?"), op.id).Scan(new(int), &got)
		if want := value(op.id, (*versions)[i]); err == nil && got != want {
			err = fmt.Errorf("row %d has %q, want %q", op.id, got, want)
		}
		return op, err
	}
}

func (l *load) count() (reads, writes int) {
	for _, op := range l.done {
		if op.write {
			writes++
		} else {
			reads++
		}
	}
	return reads, writes
}

// latencies compares the time after a Region was held back with the time
// before anything happened, and before each fault.
func latencies(t *testing.T, server string, done []operation, troubles []*trouble) {
	t.Helper()
	between := func(from, to time.Time) (all []time.Duration) {
		for _, op := range done {
			if op.began.After(from) && op.began.Before(to) {
				all = append(all, op.ended.Sub(op.began))
			}
		}
		return all
	}
	first := done[0].began
	for _, op := range done {
		if op.began.Before(first) {
			first = op.began
		}
	}
	// The first third of the quiet time is warming up.
	before := between(first.Add(troubles[0].began.Sub(first)/3), troubles[0].began)
	for i, x := range troubles {
		if i > 0 {
			before = append(before, between(troubles[i-1].back, x.began)...)
		}
	}
	p99 := percentile(before, 0.99)
	t.Logf("%s: healthy: p50 %s, p99 %s (%d operations)", server, round(median(before)), round(p99), len(before))
	byName := map[string][]time.Duration{}
	for _, x := range troubles {
		from := x.held
		if from.IsZero() { // throttled Regions are not held back: they get the calls that they take
			from = x.began.Add(time.Second)
		}
		after := between(from, x.healed)
		byName[x.name] = append(byName[x.name], after...)
		t.Logf("%s: %s %s: held back after %s; then p50 %s, p99 %s (%d operations); until then the slowest %s; every value has its wrapping again %s after it healed",
			server, x.region, x.name, since(x.began, x.held), round(median(after)), round(percentile(after, 0.99)), len(after),
			round(percentile(between(x.began, from), 1)), since(x.healed, x.back))
	}
	for _, f := range faults {
		ratio := float64(percentile(byName[f.name], 0.99)) / float64(p99)
		t.Logf("%s: p99 while a Region is %s: %s, %.2f times the healthy one's (at most 2)", server, f.name, round(percentile(byName[f.name], 0.99)), ratio)
		if *whole && ratio > 2 {
			t.Error("that is too slow")
		}
	}
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func since(from, to time.Time) string {
	if to.IsZero() {
		return "(not)"
	}
	return to.Sub(from).Round(time.Millisecond).String()
}

// verify opens every value with each Region's KMS alone. A Region that was up,
// and in use, while the value was written must be able to. It returns how many values
// lack each Region's wrapping.
func verify(t *testing.T, b *base, k *sealtest.KMS, arns map[string]string, l *load, troubles []*trouble) (absent map[string]int) {
	t.Helper()
	k.Heal()
	last := map[int]operation{}
	for _, op := range l.done {
		if op.write && op.began.After(last[op.id].began) {
			last[op.id] = op
		}
	}
	codecs := map[string]*codec.Codec{}
	for _, r := range regions {
		ring, err := awskms.New(awskms.Config{Keys: []string{arns[r]}, Region: r, Client: awskms.Clients(k.AWSConfig(r))})
		if err != nil {
			t.Fatal(err)
		}
		if codecs[r], err = codec.New(codec.Config{Keyring: ring}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := b.bare.Query("SELECT id, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	places := make(chan struct{}, 64)
	lacking := 0
	absent = map[string]int{}
	opened, n := map[string]int{}, 0
	for ; rows.Next(); n++ {
		var id int
		var stored []byte
		if err := rows.Scan(&id, &stored); err != nil {
			t.Fatal(err)
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			m, err := codec.Parse(stored)
			if err != nil {
				t.Errorf("row %d: %v", id, err)
				return
			}
			for _, r := range regions {
				has := slices.ContainsFunc(m.WrappedKeys(), func(w codec.WrappedKey) bool { return string(w.ProviderInfo) == arns[r] })
				if !has {
					// A machine under load may itself take a Region for slow.
					if *whole && wasUp(last[id], r, troubles) {
						mu.Lock()
						lacking++
						few := lacking <= 3
						mu.Unlock()
						if !few {
							continue
						}
						t.Errorf("row %d was written from %s to %s while %s was up, and lacks its wrapping", id, last[id].began, last[id].ended, r)
					}
					mu.Lock()
					absent[r]++
					mu.Unlock()
					continue
				}
				plain, err := codecs[r].Decrypt(context.Background(), nil, m, nil)
				if err != nil || !strings.HasPrefix(string(plain), fmt.Sprintf("900-%d-", id)) {
					t.Errorf("row %d does not open in %s: %v", id, r, err)
				}
				mu.Lock()
				opened[r]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if lacking > 0 {
		t.Errorf("%d values lack the wrapping of a Region that was up", lacking)
	}
	if err := rows.Err(); err != nil || n != len(last) {
		t.Errorf("%d rows for %d written, %v", n, len(last), err)
	}
	for _, x := range troubles {
		if took := x.back.Sub(x.healed); *whole && took > 3*time.Second {
			t.Errorf("%s was used as before only %s after it was no longer %s", x.region, took, x.name)
		}
	}
	t.Logf("%s: %d values: opened by one Region alone %v; without its wrapping, all written while it was in trouble: %v", b.server.Name, n, opened, absent)
	return absent
}

// wasUp reports whether a Region was up, and in use, all the while.
func wasUp(op operation, region string, troubles []*trouble) bool {
	for _, x := range troubles {
		if x.region == region && op.ended.After(x.began) && op.began.Before(x.back) {
			return false
		}
	}
	return true
}
