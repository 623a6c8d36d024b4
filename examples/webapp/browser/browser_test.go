// Package browser drives the site in Chromium: two Regions on this machine, on
// Postgres and on MariaDB.
package browser

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/policies"
	"github.com/sealsql/sealsql/sealtest"
)

var shots = flag.String("shots", "", "the folder that screenshots are written to; by default the test's artifacts")

// env is what the scenarios of one database share.
type env struct {
	*local.World
	browser context.Context
	shots   string
	ahead   atomic.Int64 // of the clock, in nanoseconds
	log     lockedBuffer
	numbers atomic.Int64

	mu      sync.Mutex
	pins    []string // that visitors typed
	proxies []*sealtest.LeakProxy
}

// watch puts a proxy before a database that looks for every PIN.
func (e *env) watch(addr string) (string, error) {
	p, err := sealtest.NewLeakProxy(addr)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.proxies = append(e.proxies, p)
	return p.Addr(), p.Watch(e.pins...)
}

func (e *env) now() time.Time          { return time.Now().Add(time.Duration(e.ahead.Load())) }
func (e *env) advance(d time.Duration) { e.ahead.Add(int64(d)) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startBrowser starts one Chromium for the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; run scripts/chromium.sh, or make webapp-test, which does it")
	}
	profile, err := os.MkdirTemp("", "twinport-browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.UserDataDir(profile), chromedp.WindowSize(1200, 900), chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil { // it closes the browser and waits for it
			t.Log(err)
		}
		cancel()
		stop()
		removeProfile(t, profile)
	})
	if err := chromedp.Run(browser); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return browser
}

// removeProfile removes the browser's folder. Chromium's helpers write to it for
// a moment after the browser itself has ended.
func removeProfile(t *testing.T, profile string) {
	t.Helper()
	tick, late := time.NewTicker(100*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		err := os.RemoveAll(profile)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Error(err)
			return
		}
	}
}

func start(t *testing.T, browser context.Context, engine, keys string) *env {
	t.Helper()
	e := &env{browser: browser, shots: *shots}
	if e.shots == "" {
		e.shots = t.ArtifactDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var err error
	e.World, err = local.Start(ctx, local.Config{Engine: engine, Keys: keys, Log: slog.New(slog.NewTextHandler(&e.log, nil)), Now: e.now, Watch: e.watch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		e.noPINOnTheWire(t)
	})
	return e
}

// noPINOnTheWire fails the test if a PIN went to a database.
func (e *env) noPINOnTheWire(t *testing.T) {
	t.Helper()
	for _, p := range e.proxies {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		p.Check(t)
		if p.Bytes() == 0 {
			t.Error("nothing went through a proxy")
		}
	}
	if len(e.proxies) < 2 {
		t.Errorf("%d databases were watched", len(e.proxies))
	}
}

// scenario is one story. Its name reads as a sentence.
type scenario struct {
	name string
	tell func(*testing.T, *env)
}

func TestSite(t *testing.T) {
	browser := startBrowser(t)
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			e := start(t, browser, engine, policies.PerRegion)
			tell(t, e, scenarios, 36)
			e.noPINInLog(t)
		})
	}
}

func TestOneMultiRegionKey(t *testing.T) {
	e := start(t, startBrowser(t), "postgres", policies.MultiRegion)
	tell(t, e, multiRegionScenarios, 3)
	e.noPINInLog(t)
}

// tell runs the scenarios one after the other and counts them.
func tell(t *testing.T, e *env, all []scenario, want int) {
	t.Helper()
	ran := 0
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			s.tell(t, e)
			e.heal(t)
		})
		ran++
	}
	if ran != want {
		t.Errorf("%d scenarios ran, want %d", ran, want)
	}
}

func (e *env) noPINInLog(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	log := e.log.String()
	if len(e.pins) == 0 || log == "" {
		t.Fatal("no PIN was typed, or nothing was logged")
	}
	for _, pin := range e.pins {
		if strings.Contains(log, pin) {
			t.Errorf("a PIN is in the log")
		}
	}
}

// customer returns an account that nobody has, with a PIN that nothing else
// looks like.
func (e *env) customer() local.Customer {
	n := e.numbers.Add(1)
	c := local.Customer{Number: fmt.Sprintf("51%08d", n), User: fmt.Sprintf("customer-%d", n), PIN: fmt.Sprintf("%012d", 739_184_650_000+n*7_919)}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pins = append(e.pins, c.PIN)
	for _, p := range e.proxies {
		if err := p.Watch(c.PIN); err != nil {
			panic(err) // a PIN that cannot be looked for
		}
	}
	return c
}

// do carries a drill out behind the pages.
func (e *env) do(t *testing.T, id string, with map[string][]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := e.Do(ctx, id, with); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
}

func region(name string) map[string][]string { return map[string][]string{"region": {name}} }

// heal ends every trouble that a scenario left.
func (e *env) heal(t *testing.T) {
	t.Helper()
	board := e.Board(context.Background())
	for _, r := range board.Regions {
		if r.State != "healthy" {
			e.do(t, "heal", region(r.Name))
		}
		if r.KeyDisabled {
			e.do(t, "enable", region(r.Name))
		}
	}
	if board.Swapped != "" {
		e.do(t, "unswap", nil)
	}
}

// caughtUp waits for the replica.
func (e *env) caughtUp(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := e.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
}
