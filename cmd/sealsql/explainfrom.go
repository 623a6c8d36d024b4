package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/cmd/sealsql/internal/sqllog"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
)

// fromServer has explain --from read what the server keeps of its statements.
const fromServer = "server"

// maxReasons bounds the kinds of refusal that are told apart.
const maxReasons = 1000

// explained counts the statements of a log.
type explained struct {
	Statements uint64        `json:"statements"`
	Protected  uint64        `json:"protected"`
	Refused    uint64        `json:"refused"`
	Failed     uint64        `json:"failed"` // could not be explained
	Reasons    []shownReason `json:"reasons,omitempty"`

	mu     sync.Mutex
	groups map[reason]*shownReason
}

type reason struct{ object, what, hint string }

// shownReason is why statements would be refused.
type shownReason struct {
	Object string `json:"object,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint,omitempty"`
	Count  uint64 `json:"count"`
	// First is where the first such statement stands: a line of the log, or the
	// server's digest.
	First string `json:"first"`

	number uint64 // of the first
}

// work is a statement to be explained.
type work struct {
	text, at string
	calls    uint64
	number   uint64 // in the order of the log, from 1
}

// explainFrom explains each statement of a log, and reports those that the policy would
// have refused. Nothing of a statement's text is printed: it may hold values.
func (a *app) explainFrom(cmd *cobra.Command, from, format, schema string) error {
	s, done, err := a.planner(cmd, schema)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	out := &explained{groups: make(map[reason]*shownReason)}
	queue := make(chan work, 1024)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for w := range queue {
				if err := out.explain(ctx, s, w); err != nil {
					cancel(err)
				}
			}
		})
	}
	number := uint64(0)
	put := func(w work) error {
		number++
		w.number = number
		select {
		case queue <- w:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if from == fromServer {
		err = a.serverStatements(ctx, put)
	} else {
		err = a.logStatements(from, format, put)
	}
	close(queue)
	workers.Wait()
	if err = cmp.Or(context.Cause(ctx), err); err != nil {
		return err
	}
	return a.showExplained(out)
}

// explain counts one statement. It fails if none can be explained.
func (e *explained) explain(ctx context.Context, s *driver.ValueSealer, w work) error {
	x, err := s.Explain(ctx, w.text)
	refused, ok := errors.AsType[*driver.RefusedError](err)
	if errors.Is(err, driver.ErrCatalog) || ctx.Err() != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Statements += w.calls
	switch {
	case ok:
		e.Refused += w.calls
		e.refused(refused, w)
	case err != nil:
		e.Failed += w.calls
	case x.Protected:
		e.Protected += w.calls
	}
	return nil
}

func (e *explained) refused(r *driver.RefusedError, w work) {
	key := reason{r.Object, r.What, r.Hint}
	g := e.groups[key]
	if g == nil {
		if len(e.groups) >= maxReasons {
			key = reason{what: "other reasons"}
		}
		if g = e.groups[key]; g == nil {
			g = &shownReason{Object: key.object, What: key.what, Hint: key.hint, First: w.at, number: w.number}
			e.groups[key] = g
		}
	}
	g.Count += w.calls
	if w.number < g.number {
		g.First, g.number = w.at, w.number
	}
}

// logStatements reads a log's file; - is standard input.
func (a *app) logStatements(path, format string, put func(work) error) error {
	var in io.Reader = a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r := bufio.NewReaderSize(in, 1<<16)
	kind := sqllog.Format(format)
	if format == "" {
		var err error
		if kind, err = sqllog.Detect(r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	err := sqllog.Read(r, kind, func(s sqllog.Statement) error {
		return put(work{text: s.Text, at: "line " + strconv.Itoa(s.Line), calls: 1})
	})
	if err != nil && errors.Is(err, sqllog.ErrFormat) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// serverStatements reads what the server kept.
func (a *app) serverStatements(ctx context.Context, put func(work) error) error {
	db, name, err := a.connect(ctx, a.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	srv, err := server.Named(name)
	if err != nil {
		return err
	}
	stopped := false
	err = srv.Statements(ctx, db, func(k server.CountedStatement) error {
		err := put(work{text: k.Text, at: "digest " + k.Digest, calls: k.Calls})
		stopped = err != nil
		return err
	})
	if err != nil && !stopped {
		return errors.New(safe(err, a.dsn) + ", or give a log's file")
	}
	return err
}

func (a *app) showExplained(x *explained) error {
	x.Reasons = make([]shownReason, 0, len(x.groups))
	for _, key := range slices.SortedFunc(maps.Keys(x.groups), func(a, b reason) int {
		return cmp.Or(cmp.Compare(x.groups[b].Count, x.groups[a].Count), strings.Compare(a.what, b.what), strings.Compare(a.object, b.object), strings.Compare(a.hint, b.hint))
	}) {
		x.Reasons = append(x.Reasons, *x.groups[key])
	}
	if a.output == "json" {
		if err := a.json(x); err != nil {
			return err
		}
	} else {
		a.printf("%d statements: %d touch protected columns, %d would be refused%s\n", x.Statements, x.Protected+x.Refused, x.Refused,
			word(x.Failed > 0, fmt.Sprintf(", %d could not be explained", x.Failed)))
		for _, r := range x.Reasons {
			a.printf("%s %d times%s, first at %s\n  %s\n%s", a.paint(red, "refused"), r.Count, word(r.Object != "", " ("+r.Object+")"), r.First, r.What,
				word(r.Hint != "", "  instead: "+r.Hint+"\n"))
		}
	}
	if x.Refused > 0 {
		return finding(exitFindings)
	}
	return nil
}
