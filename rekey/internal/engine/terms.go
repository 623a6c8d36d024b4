package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Reasons of rows whose terms are wrong.
const (
	reasonNoTerm    = "index_missing"
	reasonOtherTerm = "index_mismatch"
)

// terms makes the equality terms of the column that a job works on.
type terms struct {
	engine *exec.Engine
	of     *seal.Column
	key    int    // the index in Search.Terms
	column string // that holds them
}

// termsOf returns the terms of a job. Reindex fills the column of the policy's last
// key: the new key while terms move to it. Verify compares those that statements ask
// for. Backfill fills those of all keys beside the value, but for terms that are the row
// key, which rows in clear have already. It is nil for a column that has none.
func termsOf(s *driver.ValueSealer, c *Config, t policy.Table) (*terms, error) {
	out := &terms{engine: exec.EngineOf(s)}
	var err error
	if out.of, err = out.engine.Find(c.Table, c.Column); err != nil {
		return nil, err
	}
	search := out.of.Search()
	switch {
	case search == nil && c.Mode != Reindex, c.Mode == Backfill && slices.Contains(t.RowKey, c.Column):
		return nil, nil
	case search == nil:
		return nil, fmt.Errorf("%w: %s.%s has no equality terms; give it, or a path of its documents, search: {equality: {column: …}}", ErrConfig, c.Table, c.Column)
	case c.Mode == Reindex && slices.Contains(t.RowKey, c.Column):
		return nil, fmt.Errorf("%w: the terms of %s.%s are the row key, by which the job finds rows; write the rows through the application", ErrConfig, c.Table, c.Column)
	}
	if c.Mode == Reindex {
		out.key = len(search.Terms) - 1
	}
	out.column = search.Terms[out.key].Column
	return out, nil
}

// withSources adds the columns that terms depend on.
func (t *terms) withSources(names []string) []string {
	for _, i := range t.of.Search().Sources {
		if name := t.of.Table.Sources[i]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// make returns the term of a value of a row under a key.
func (t *terms) make(ctx context.Context, key int, bound driver.Row, plaintext []byte) (any, error) {
	return t.engine.TermOfPlaintext(ctx, t.of, key, bound, plaintext)
}

// same reports whether a column of terms holds a term.
func same(stored []byte, term any) bool {
	switch term := term.(type) {
	case []byte:
		return bytes.Equal(stored, term)
	case string:
		return string(stored) == term
	}
	return false
}

// reindex makes the term of a row's value anew if the row has another or none.
func (w *worker) reindex(ctx context.Context, r *server.JobRow, bound driver.Row) outcome {
	switch {
	case w.t.document != nil:
		return w.reindexDocument(ctx, r, bound)
	case r.From == nil && r.Stored == nil:
		return skip(reasonNull)
	case r.From == nil:
		return fail(reasonOtherTerm, errors.New("the row has a term and no value"))
	}
	in, err := w.sealer.Inspect(ctx, w.t.table, w.t.column, bound, r.From)
	if err != nil {
		return w.classify(err)
	}
	if in.Form == inspect.Plaintext {
		return skip(reasonPlaintext)
	}
	if w.c.DryRun {
		return outcome{kind: changed, calls: costs(in)}
	}
	plaintext, err := w.open(ctx, w.sealer, bound, r.From, costs(in))
	defer clear(plaintext)
	if err != nil {
		return w.classify(err)
	}
	term, err := w.term(ctx, w.t.terms.key, bound, plaintext)
	switch {
	case err != nil:
		return w.classify(err)
	case same(r.Stored, term):
		return outcome{kind: right, opened: true}
	}
	return outcome{kind: changed, value: term, opened: true}
}

// term makes a term, with patience for a key that cannot be used.
func (w *worker) term(ctx context.Context, key int, bound driver.Row, plaintext []byte) (term any, err error) {
	err = retry(ctx, w.c.Patience, unavailable, func() error {
		term, err = w.t.terms.make(ctx, key, bound, plaintext)
		return err
	})
	return term, err
}

// allTerms makes the terms that a backfill writes beside a value, in the order of the
// policy's keys.
func (w *worker) allTerms(ctx context.Context, bound driver.Row, plaintext []byte) ([]any, error) {
	out := make([]any, len(w.t.Terms))
	for key := range out {
		var err error
		if out[key], err = w.term(ctx, key, bound, plaintext); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sealedAlready is the outcome of a backfill's row whose value is right. Its term is the
// work of reindex, which opens values.
func (w *worker) sealedAlready(r *server.JobRow) outcome {
	if w.t.terms != nil && r.From == nil || w.t.document != nil && w.lacksTerms(r) {
		return skip(reasonNoTermYet)
	}
	return outcome{kind: right}
}

// checkTerm compares the term of a row with that of its value.
func (w *worker) checkTerm(ctx context.Context, r *server.JobRow, bound driver.Row, plaintext []byte) outcome {
	term, err := w.term(ctx, w.t.terms.key, bound, plaintext)
	switch {
	case err != nil:
		return w.classify(err)
	case r.From == nil:
		return fail(reasonNoTerm, errors.New("the row has no term; run reindex"))
	case !same(r.From, term):
		return fail(reasonOtherTerm, errors.New("the row has another value's term; find out who changed it, and run reindex"))
	}
	return outcome{kind: right, opened: true}
}
