package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/rekey"
)

// progress shows how far a job is: a line that is drawn again on a terminal,
// structured log lines otherwise. Both go to standard error.
type progress struct {
	w       io.Writer
	bar     bool
	now     func() time.Time
	log     *slog.Logger
	db      *sql.DB
	dialect string

	mu    sync.Mutex // of w and drawn
	total int64
	began time.Time
	last  time.Time
	drawn bool
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

func (a *app) newProgress(db *sql.DB, dialect string) *progress {
	p := &progress{w: a.err, bar: terminal(a.err) && a.output == "text", now: time.Now, db: db, dialect: dialect}
	p.log = slog.New(slog.NewTextHandler(&above{p}, nil))
	if a.output == "json" {
		p.log = slog.New(slog.NewJSONHandler(&above{p}, nil))
	}
	return p
}

// above writes log lines above the bar.
type above struct{ p *progress }

func (a *above) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.wipe()
	return a.p.w.Write(b)
}

func (p *progress) wipe() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *progress) begin(ctx context.Context, c *rekey.Config) {
	schema, table := "", c.Table
	if s, t, ok := strings.Cut(c.Table, "."); ok {
		schema, table = s, t
	}
	p.total = rekey.Estimate(ctx, p.db, driver.Dialect(p.dialect), schema, table, c.Shards)
	p.began, p.last = p.now(), p.now()
	c.Progress = p.show
	if !p.bar {
		p.log.Info("sealsql: begins", "job", c.Job(), "rows_about", p.total, "dry_run", c.DryRun)
	}
}

func (p *progress) show(r rekey.Report) {
	every := lineEvery
	if p.bar {
		every = barEvery
	}
	now := p.now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	seconds := now.Sub(p.began).Seconds()
	rate := float64(r.Reads) / seconds
	if !p.bar {
		p.log.Info("sealsql: progress", "job", r.Job, "read", r.Read, "changed", r.Changed, "already_right", r.Right, "skipped", r.Skips(), "failed", r.Failed,
			"rows_per_second", int64(rate), "kms_calls_per_second", int64(float64(r.KMSCalls)/seconds), "eta", eta(p.total-r.Read, rate))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	// Without wrapping (DECAWM) a narrow terminal cuts the line off: of a wrapped one, wipe
	// would leave all but the last line.
	fmt.Fprintf(p.w, "\x1b[?7l%s %s %d rows, %.0f rows/s, %.0f KMS calls/s, %s left, %d failed\x1b[?7h", r.Job, bar(r.Read, p.total), r.Read, rate, float64(r.KMSCalls)/seconds, eta(p.total-r.Read, rate), r.Failed)
	p.drawn = true
}

func (p *progress) end(r rekey.Report) {
	p.mu.Lock()
	p.wipe()
	p.mu.Unlock()
	if !p.bar {
		p.log.Info("sealsql: ends", "job", r.Job, "done", r.Done, "read", r.Read, "changed", r.Changed, "already_right", r.Right, "skipped", r.Skips(), "failed", r.Failed,
			"kms_calls", r.KMSCalls, "seconds", r.Elapsed.Seconds())
	}
}

// bar is a bar of 20 characters; the total is an estimate.
func bar(n, total int64) string {
	const width = 20
	if total <= 0 {
		return ""
	}
	full := int(min(n, total) * width / total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func eta(left int64, rate float64) string {
	if left <= 0 || rate <= 0 {
		return "-"
	}
	return (time.Duration(float64(left)/rate) * time.Second).String()
}

// shownReport is a report as JSON shows it.
type shownReport struct {
	rekey.Report
	DryRun   bool            `json:"dry_run"`
	Failures []rekey.Failure `json:"failures"`
	Origins  []rekey.Origin  `json:"origins,omitempty"`
}

func (a *app) showReports(reports []rekey.Report, j *jobFlags) error {
	var failed int64
	shown := []shownReport{}
	for _, r := range reports {
		failed += r.Failed
		s := shownReport{Report: r, DryRun: j.dryRun, Failures: []rekey.Failure{}}
		for _, f := range r.Failures {
			if !j.keys {
				f.Key = nil
			}
			s.Failures = append(s.Failures, f)
		}
		for _, o := range r.Origins {
			if !j.keys {
				o.Key, o.FromKey = nil, nil
			}
			s.Origins = append(s.Origins, o)
		}
		shown = append(shown, s)
	}
	if a.output == "json" {
		if err := a.json(shown); err != nil {
			return err
		}
	} else {
		for _, s := range shown {
			a.showReport(s)
		}
	}
	if failed > 0 {
		return finding(exitFindings)
	}
	return nil
}

func (a *app) showReport(r shownReport) {
	verb := "changed"
	if r.DryRun {
		verb = "to change"
	}
	state := ""
	if !r.Done {
		state = a.paint(yellow, " (not finished)")
	}
	a.printf("%s%s%s\n", a.paint(bold, r.Job), state, word(r.Resumed, " (resumed: the counts are of all runs)"))
	a.printf("  read %d = %s %d + %s %d + skipped %d + failed %d\n", r.Read, verb, r.Changed, rightWord(r.Mode), r.Right, r.Skips(), r.Failed)
	for _, k := range slices.Sorted(maps.Keys(r.Skipped)) {
		a.printf("  skipped %d: %s\n", r.Skipped[k], k)
	}
	for _, f := range r.Failures {
		a.printf("  %s row %s: %s: %s\n", a.paint(red, "failed"), rowName(f.Row, f.Key), f.Reason, printable(f.Error))
	}
	for _, o := range r.Origins {
		a.printf("  origin of row %s: written for %s of row %s\n", rowName(o.Row, o.Key), o.FromColumn, rowName(o.FromRow, o.FromKey))
	}
	if f := r.Forecast; f != nil {
		a.printf("  forecast: %d KMS calls, about $%.2f, about %s\n", f.KMSCalls, f.Dollars, f.Took.Round(time.Second))
	}
}

// rowName is a row's key, or its digest where keys are not shown.
func rowName(digest string, key []string) string {
	if len(key) > 0 {
		return printable(strings.Join(key, ","))
	}
	return printable(digest)
}

func rightWord(m rekey.Mode) string {
	if m == rekey.Verify {
		return "verified"
	}
	return "already right"
}
