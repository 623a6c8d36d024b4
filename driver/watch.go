package driver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealsql/sealsql/policy"
)

// Watch says how a connector notices that its policy's file has changed, see
// [WithWatch]. The zero value checks the file every 15 seconds.
type Watch struct {
	// Every is the time between two checks of the file: 15 seconds if it is 0,
	// and never less than a tenth of a second.
	Every time.Duration
	// Tick takes the clock's place if it is not nil: the file is checked
	// whenever it delivers. It is for tests.
	Tick <-chan time.Time
	// Checked is called after each check, from the watching goroutine, if it is
	// not nil: reloaded is true if a new policy is in force, and err says why a
	// changed file was not taken. It must not close the sql.DB.
	Checked func(reloaded bool, err error)
}

// WithWatch reloads the policy when its file changes, as [Connector.Reload]
// does. The file is found by its path each time, so a rename over it and the
// switch of a symbolic link (a Kubernetes ConfigMap) are seen; its content is
// compared, whatever its times say. A change is taken up when two checks in a row see
// the same content, so that a file in the midst of being written is not taken
// for a policy that protects less.
//
// A file that cannot be used raises one [alert.PolicyRejected] for each content.
// One that failed because the database did not answer is tried again at each check.
// Closing the connector ends the watch. The policy must come from a file.
func WithWatch(w Watch) Option { return func(s *settings) { s.watch = &w } }

const (
	watchEvery = 15 * time.Second
	watchLeast = 100 * time.Millisecond
)

// WatchEnv is the environment variable that has the policy's file watched, as
// [WithWatch] does: it holds the time between two checks, such as 15s. The DSN's
// sealsql_policy_watch goes before it.
const WatchEnv = "SEALSQL_POLICY_WATCH"

// watchInterval reads the time between two checks.
func watchInterval(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < watchLeast {
		return 0, fmt.Errorf("is not a time of at least %v, such as 15s", watchLeast)
	}
	return d, nil
}

// watcher is the goroutine that watches a connector's policy file.
type watcher struct {
	connector *Connector
	Watch
	cancel context.CancelFunc
	done   chan struct{}

	// States of the file, as readState gives them.
	inForce string // what the connector has
	seen    string // by the last check
	alerted string // the last that an event was raised for
}

// watch starts a watcher if the settings ask for one. content is what the policy
// in force was read from.
func (c *Connector) watch(content []byte) error {
	if v := os.Getenv(WatchEnv); c.settings.watch == nil && content != nil && v != "" {
		every, err := watchInterval(v)
		if err != nil {
			return fmt.Errorf("%w: the environment's %s %w", ErrPolicy, WatchEnv, err)
		}
		c.settings.watch = &Watch{Every: every}
	}
	if c.settings.watch == nil {
		return nil
	}
	if content == nil {
		return fmt.Errorf("%w: a policy that is not read from a file cannot be watched; name its file, or leave WithWatch out", ErrPolicy)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{connector: c, Watch: *c.settings.watch, cancel: cancel, done: make(chan struct{}), inForce: digestOf(content)}
	w.seen = w.inForce
	c.watcher = w
	go w.run(ctx)
	return nil
}

// stop ends the watcher. A reload that it is in the midst of is given up.
func (w *watcher) stop() {
	if w == nil {
		return
	}
	w.cancel()
	<-w.done
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.done)
	tick := w.Tick
	if tick == nil {
		every := w.Every
		if every == 0 {
			every = watchEvery
		}
		t := time.NewTicker(max(every, watchLeast))
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-tick:
			if !ok {
				return
			}
		}
		reloaded, err := w.check(ctx)
		if ctx.Err() == nil && w.Checked != nil {
			w.Checked(reloaded, err)
		}
	}
}

// check reads the file and reloads if its content is new and at rest.
func (w *watcher) check(ctx context.Context) (reloaded bool, err error) {
	path := w.connector.settings.policyPath
	content, err := readPolicy(path)
	state := "unreadable"
	if err == nil {
		state = digestOf(content)
	}
	before := w.seen
	w.seen = state
	if state == w.inForce {
		w.alerted = ""
		return false, nil
	}
	if state != before {
		return false, nil // it changed since the last check: see it at rest first
	}
	if err == nil {
		var p *policy.Policy
		if p, err = policy.Parse(path, content); err == nil {
			err = w.connector.swap(ctx, p)
		} else {
			err = unusable(err)
		}
	}
	if err == nil {
		w.inForce, w.alerted = state, ""
		return true, nil
	}
	if ctx.Err() == nil && w.alerted != state {
		w.alerted = state
		w.connector.rejected(err)
	}
	return false, err
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return string(sum[:])
}

// maxPolicy is above what package policy accepts.
const maxPolicy = 1<<20 + 1

func readPolicy(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the policy's file cannot be opened: %w", ErrPolicy, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPolicy))
	if err != nil {
		return nil, fmt.Errorf("%w: the policy's file cannot be read: %w", ErrPolicy, err)
	}
	return content, nil
}
