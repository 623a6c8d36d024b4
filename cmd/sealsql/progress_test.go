package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/rekey"
)

// watched is a progress over an empty table, with a clock that is set by hand.
type watched struct {
	*progress
	out   bytes.Buffer
	clock time.Time
	c     rekey.Config
}

func watch(t *testing.T, a *app) *watched {
	server := testdb.Postgres(t)
	w := &watched{clock: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), c: rekey.Config{Mode: rekey.Backfill, Table: "people", Column: "ssn"}}
	a.err = &w.out
	w.progress = a.newProgress(server.Open(t, server.NewDatabase(t)), server.Name)
	w.now = func() time.Time { return w.clock }
	return w
}

// after lets time pass, reports so many rows, and returns what was written.
func (w *watched) after(d time.Duration, read int64) string {
	w.clock = w.clock.Add(d)
	w.out.Reset()
	w.c.Progress(rekey.Report{Job: "backfill people.ssn", Counts: rekey.Counts{Read: read, Changed: read}, Reads: read, KMSCalls: 2 * read})
	return w.out.String()
}

const wiped = "\r\x1b[K"

func TestTheBarIsDrawnAgainFiveTimesASecond(t *testing.T) {
	w := watch(t, &app{output: "text"})
	w.bar = true
	w.begin(t.Context(), &w.c)
	w.total = 1000
	if got := w.after(barEvery-1, 100); got != "" {
		t.Errorf("drawn too early: %q", got)
	}
	want := "\x1b[?7lbackfill people.ssn [##..................] 100 rows, 500 rows/s, 1000 KMS calls/s, 1s left, 0 failed\x1b[?7h"
	if got := w.after(1, 100); got != want {
		t.Errorf("the first: %q", got)
	}
	want = wiped + "\x1b[?7lbackfill people.ssn [####################] 1100 rows, 5500 rows/s, 11000 KMS calls/s, - left, 0 failed\x1b[?7h"
	w.began = w.began.Add(barEvery) // as if it had gone twice as fast
	if got := w.after(barEvery, 1100); got != want {
		t.Errorf("beyond the estimate: %q", got)
	}
	w.out.Reset()
	w.log.Info("something happens")
	if got := w.out.String(); !strings.HasPrefix(got, wiped+"time=") || !strings.HasSuffix(got, "msg=\"something happens\"\n") {
		t.Errorf("a line of the log: %q", got)
	}
	w.out.Reset()
	w.end(rekey.Report{})
	if got := w.out.String(); got != "" {
		t.Errorf("the log had wiped the bar, and the end wrote %q", got)
	}
	w.total = 0 // the server has no estimate
	if got := w.after(barEvery, 1200); strings.Contains(got, "[#") {
		t.Errorf("a bar of nothing: %q", got)
	}
	w.out.Reset()
	w.end(rekey.Report{})
	if got := w.out.String(); got != wiped {
		t.Errorf("the end wrote %q", got)
	}
}

func TestWithoutATerminalProgressIsLinesOfTheLog(t *testing.T) {
	for output, want := range map[string][]string{
		"text": {`msg="sealsql: begins" job="backfill people.ssn" rows_about=0`, `msg="sealsql: progress" job="backfill people.ssn" read=100 changed=100 already_right=0 skipped=0 failed=0 rows_per_second=20 kms_calls_per_second=40 eta=-`, `msg="sealsql: ends" job="backfill people.ssn"`},
		"json": {`"msg":"sealsql: begins","job":"backfill people.ssn","rows_about":0`, `"msg":"sealsql: progress","job":"backfill people.ssn","read":100,"changed":100,"already_right":0,"skipped":0,"failed":0,"rows_per_second":20,"kms_calls_per_second":40,"eta":"-"`, `"msg":"sealsql: ends","job":"backfill people.ssn"`},
	} {
		t.Run(output, func(t *testing.T) {
			w := watch(t, &app{output: output})
			w.begin(t.Context(), &w.c)
			all := w.out.String()
			if got := w.after(lineEvery-1, 100); got != "" {
				t.Errorf("a line too early: %q", got)
			}
			all += w.after(1, 100)
			w.out.Reset()
			w.end(rekey.Report{Job: "backfill people.ssn"})
			all += w.out.String()
			lines := strings.Split(strings.TrimSpace(all), "\n")
			if len(lines) != len(want) {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), all)
			}
			for i := range want {
				if !strings.Contains(lines[i], want[i]) {
					t.Errorf("got %s\nwant %s", lines[i], want[i])
				}
			}
			if strings.Contains(all, "\x1b") {
				t.Errorf("codes of a terminal: %q", all)
			}
		})
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminal(f) || terminal(&bytes.Buffer{}) {
		t.Error("a file or a buffer is taken for a terminal")
	}
}
