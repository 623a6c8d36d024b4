package seal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/jsondoc"
)

// TermCount counts the equality terms of one path in documents.
type TermCount struct {
	// Filled counts values that have a term, Missing values that have none, and Stray terms
	// beside no value.
	Filled, Missing, Stray int64
}

// member is a value of a document that can be searched, and its term. Either may be absent.
type member struct {
	part        *Part
	value, term *jsondoc.Found
}

// members pairs the values of a stored document that can be searched with their terms. A null
// needs no term.
func (c *Column) members(stored any) (doc []byte, list []*member, err error) {
	if doc, _, err = c.find(stored); err != nil {
		return nil, nil, err
	}
	values, err := c.document.paths.FindAll(doc)
	if err != nil {
		return nil, nil, err
	}
	for i := range values {
		if part := c.document.parts[values[i].Path]; part.Term != nil {
			list = append(list, &member{part: part, value: &values[i]})
		}
	}
	terms, err := c.document.terms.FindAll(doc)
	for i := range terms {
		t := &terms[i]
		part := c.document.searched[t.Path]
		at := slices.IndexFunc(list, func(m *member) bool {
			return m.part == part && m.term == nil && m.value.Object == t.Object
		})
		if at < 0 {
			at = len(list)
			list = append(list, &member{part: part})
		}
		list[at].term = t
	}
	return doc, list, err
}

// hasTerm reports whether the member has a term that is not null.
func (m *member) hasTerm() bool { return m.term != nil && !m.term.Null }

// hasValue reports whether the member has a value that is not null.
func (m *member) hasValue() bool { return m.value != nil && !m.value.Null }

// TermCounts counts the terms of a stored document, for each path of [Column.TermPaths].
// Nothing is opened.
func (c *Column) TermCounts(stored any) ([]TermCount, error) {
	counts := make([]TermCount, len(c.TermPaths()))
	if IsNull(stored) {
		return counts, nil
	}
	_, list, err := c.members(stored)
	for _, m := range list {
		n := &counts[slices.Index(c.document.searched, m.part)]
		switch {
		case m.hasValue() && m.hasTerm():
			n.Filled++
		case m.hasValue():
			n.Missing++
		case m.hasTerm():
			n.Stray++
		}
	}
	return counts, err
}

// Reterm opens the values of a stored document that can be searched, and returns the document
// with their terms made anew, and how many terms were missing, and others than their values'.
// The ciphertexts stay as they are. A value that does not open, or a term beside no value, is
// an error.
func (f *Funnel) Reterm(ctx context.Context, r Request) (doc string, missing, wrong int, err error) {
	stored, list, err := r.Column.members(r.Stored)
	if err != nil {
		return "", 0, 0, err
	}
	var places []jsondoc.Found
	texts := map[int][]byte{}
	for _, m := range list {
		own, err := f.memberTerm(ctx, r, m, stored)
		if err != nil {
			return "", 0, 0, err
		}
		switch {
		case m.term != nil && bytes.Equal(stored[m.term.Start:m.term.End], own), m.term == nil && !m.hasValue():
			continue
		case m.term == nil:
			missing++
			places = append(places, jsondoc.Found{Start: m.value.End, End: m.value.End})
			own = fmt.Appendf(nil, ",%s:%s", jsondoc.Quote(m.part.Term[len(m.part.Term)-1].Key), own)
		case m.hasTerm():
			wrong++
			places = append(places, *m.term)
		default:
			missing++
			places = append(places, *m.term)
		}
		texts[places[len(places)-1].Start] = own
	}
	slices.SortFunc(places, func(a, b jsondoc.Found) int { return cmp.Compare(a.Start, b.Start) })
	ordered := make([][]byte, len(places))
	for i, p := range places {
		ordered[i] = texts[p.Start]
	}
	return string(jsondoc.Splice(stored, places, ordered)), missing, wrong, nil
}

// memberTerm is the JSON text of the term that belongs to a value; null for none.
func (f *Funnel) memberTerm(ctx context.Context, r Request, m *member, doc []byte) ([]byte, error) {
	r.Column = m.part.Value
	switch {
	case !m.hasValue() && m.hasTerm():
		return nil, f.failed(ctx, finding{Request: r, kind: alert.IndexMismatch})
	case !m.hasValue():
		return []byte("null"), nil
	}
	r.Stored, r.Buffer = doc[m.value.Start:m.value.End], nil
	plaintext, _, err := f.Open(ctx, r)
	defer clear(plaintext)
	if err != nil {
		return nil, err
	}
	term, err := f.Term(ctx, TermRequest{Column: m.part.Value, Plaintext: plaintext, Row: r.Row, Statement: r.Statement})
	return []byte(fmt.Sprint(term)), err
}
