package engine

import (
	"context"
	"errors"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
)

// This file makes and compares the equality terms that lie in JSON documents, beside the
// values at searchable paths.

// request asks for the plaintext of a row's document.
func (w *worker) request(ctx context.Context, bound driver.Row, stored []byte) (seal.Request, *seal.Funnel, error) {
	e := exec.EngineOf(w.sealer)
	col, err := e.Find(w.t.table, w.t.column)
	if err != nil {
		return seal.Request{}, nil, err
	}
	row, err := e.Row(ctx, col, bound, false)
	return seal.Request{Column: col, Stored: stored, Row: row, Strict: true}, e.Funnel(), err
}

// reindexDocument makes the terms of a row's document anew where they are missing, or another
// value's or key's.
func (w *worker) reindexDocument(ctx context.Context, r *server.JobRow, bound driver.Row) outcome {
	if r.Stored == nil {
		return skip(reasonNull)
	}
	in, err := w.sealer.Inspect(ctx, w.t.table, w.t.column, bound, r.Stored)
	switch {
	case err != nil:
		return w.classify(err)
	case in.Form == inspect.Plaintext:
		return skip(reasonPlaintext)
	case w.c.DryRun && w.lacksTerms(r):
		return outcome{kind: changed, calls: costs(in)}
	case w.c.DryRun:
		return outcome{kind: right, calls: costs(in)}
	}
	doc, missing, wrong, err := w.reterm(ctx, r, bound, costs(in))
	switch {
	case err != nil:
		return w.classify(err)
	case missing+wrong > 0:
		return outcome{kind: changed, value: doc, opened: true}
	case in.Form == inspect.Null:
		return skip(reasonNothing)
	}
	return outcome{kind: right, opened: true}
}

// checkDocument opens a row's document and compares its terms with its values.
func (w *worker) checkDocument(ctx context.Context, r *server.JobRow, bound driver.Row, calls int) outcome {
	_, missing, wrong, err := w.reterm(ctx, r, bound, calls)
	switch {
	case err != nil:
		return w.classify(err)
	case wrong > 0:
		return fail(reasonOtherTerm, errors.New("the document has another value's term; find out who changed it, and run reindex"))
	case missing > 0:
		return fail(reasonNoTerm, errors.New("the document has a value without a term; run reindex"))
	}
	return outcome{kind: right, opened: true}
}

// reterm is [seal.Funnel.Reterm] for a row, with patience for a key that cannot be used.
func (w *worker) reterm(ctx context.Context, r *server.JobRow, bound driver.Row, calls int) (doc string, missing, wrong int, err error) {
	request, funnel, err := w.request(ctx, bound, r.Stored)
	if err != nil {
		return "", 0, 0, err
	}
	err = retry(ctx, w.c.Patience, unavailable, func() (err error) {
		if err = w.kms.take(ctx, calls); err == nil {
			doc, missing, wrong, err = funnel.Reterm(ctx, request)
		}
		return err
	})
	return doc, missing, wrong, err
}

// lacksTerms reports whether a document has a value without its term. Nothing is opened.
func (w *worker) lacksTerms(r *server.JobRow) bool {
	counts, err := w.t.document.TermCounts(stored(r))
	for _, n := range counts {
		if n.Missing > 0 {
			return err == nil
		}
	}
	return false
}

// countDocument counts the terms of a document.
func (s *Survey) countDocument(t *target, r *server.JobRow) {
	counts, err := t.document.TermCounts(stored(r))
	for i, n := range counts {
		if err == nil {
			s.Terms[i].Filled, s.Terms[i].Missing, s.Terms[i].Stray = s.Terms[i].Filled+n.Filled, s.Terms[i].Missing+n.Missing, s.Terms[i].Stray+n.Stray
		}
	}
}

// pathTerms lists the terms of a document's paths, none counted yet.
func pathTerms(c *seal.Column) (list []TermTally) {
	for _, p := range c.Parts() {
		if p.Term != nil {
			list = append(list, TermTally{Path: p.Path.String(), Column: p.Term.String()})
		}
	}
	return list
}
