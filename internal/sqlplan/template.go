package sqlplan

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strings"
)

// Template is a SQL text with holes for arguments. It keeps few bytes for a hole: texts
// may have tens of thousands.
type Template struct {
	// Text has a placeholder in each hole.
	Text string
	// Args has an entry for each placeholder that the server numbers, in its order.
	Args  []Arg
	holes []hole
}

// hole is a placeholder, the bytes [start, end) of the text, for Args[arg].
type hole struct {
	start, end int32
	arg        int32 // inverted if the hole was a literal
}

// Piece is a run of text, or a hole where a value goes.
type Piece struct {
	Text string
	// Arg has the kind ArgInvalid for a run of text.
	Arg Arg
	// Placeholder is how the hole is written when it is sent as a parameter:
	// "?" or "$3", with the cast that it needs, if any.
	Placeholder string
	// Literal is true for a hole that was a literal in the user's text. Such a
	// hole may be written into the text when the user passes no arguments.
	Literal bool
}

// Hole reports whether the piece is a hole.
func (p *Piece) Hole() bool { return p.Arg.Kind != ArgInvalid }

// Written is the hole with a literal in the place of the placeholder.
func (p *Piece) Written(literal string) string {
	i := strings.IndexAny(p.Placeholder, "?$")
	if i < 0 {
		return literal
	}
	return p.Placeholder[:i] + literal + strings.TrimLeft(p.Placeholder[i+1:], "0123456789")
}

// Pieces yields the runs of text and the holes in their order.
func (t *Template) Pieces() iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		at := int32(0)
		for _, h := range t.holes {
			if h.start > at && !yield(Piece{Text: t.Text[at:h.start]}) {
				return
			}
			arg, literal := h.arg, false
			if arg < 0 {
				arg, literal = ^arg, true
			}
			if !yield(Piece{Arg: t.Args[arg], Placeholder: t.Text[h.start:h.end], Literal: literal}) {
				return
			}
			at = h.end
		}
		if int(at) < len(t.Text) {
			yield(Piece{Text: t.Text[at:]})
		}
	}
}

// ArgKind says where an argument's value comes from.
type ArgKind uint8

// The kinds of argument.
const (
	ArgInvalid    ArgKind = iota
	ArgUser               // the user's argument Index, unchanged
	ArgSeal               // Plan.Seals[Index], sealed
	ArgKey                // row Row's key column Index (row by row)
	ArgRowSeal            // row Row's seal Index (row by row)
	ArgServer             // row Row's evaluated default Index (server-made keys)
	ArgServerEach         // an array of every row's evaluated default Index
	ArgRows               // how many rows the arrays of the statement have
)

// Arg is the source of one argument sent to the server.
type Arg struct {
	Index, Row int32
	// Group is the index of the table in RowByRow.Tables.
	Group uint16
	Kind  ArgKind
}

func argOf(kind ArgKind, index int) Arg { return Arg{Kind: kind, Index: int32(index)} }

// argOfRow is an argument that belongs to a row of the statement, or of a table that it writes.
func argOfRow(kind ArgKind, index, row, group int) Arg {
	return Arg{Kind: kind, Index: int32(index), Row: int32(row), Group: uint16(group)}
}

// edit replaces a span of the original text by parts[from:to] of the analysis; an empty
// span is an insertion.
type edit struct {
	span     Span
	from, to int32
}

// part is a run of text, a hole for an argument, or a place that differs with
// the number of rows.
type part struct {
	text string
	arg  Arg
	// hint is the number of the user's parameter that the hole stands for.
	hint int32
	// literal: the hole was a literal. added: the hole stands where the
	// original text had something else, so that it may need space around it.
	literal, added bool
	// around is what stands before and after the placeholder; nil for nothing.
	around *casts
	// expand writes the part for a number of rows of each table (row by row).
	expand *expansion
	// copied repeats a span of the text with the edits within it.
	copied *Span
}

// casts are what stands around a placeholder.
type casts struct{ open, cast string }

// hole reports whether the part is a hole for an argument.
func (p *part) hole() bool { return p.arg.Kind != ArgInvalid }

// casts returns what stands around the placeholder.
func (p *part) casts() casts {
	if p.around == nil {
		return casts{}
	}
	return *p.around
}

func textPart(s string) part { return part{text: s} }

func argPart(arg Arg) part { return part{arg: arg, added: true} }

// around returns the casts; parts with equal ones share them.
func (a *analysis) around(open, cast string) *casts {
	if open == "" && cast == "" {
		return nil
	}
	for _, c := range a.casts {
		if c.open == open && c.cast == cast {
			return c
		}
	}
	c := &casts{open, cast}
	a.casts = append(a.casts, c)
	return c
}

// insertText adds text at an offset.
func (a *analysis) insertText(at int, text string) {
	a.insertParts(at, textPart(text))
}

// insertParts adds parts at an offset.
func (a *analysis) insertParts(at int, parts ...part) { a.replace(Span{at, at}, parts...) }

func (a *analysis) replace(span Span, parts ...part) {
	from := len(a.parts)
	a.parts = append(a.parts, parts...)
	a.edits = append(a.edits, edit{span, int32(from), int32(len(a.parts))})
}

// render cuts a span of the original text into parts, with the edits within it
// made and the user's remaining placeholders as holes.
func (a *analysis) render(span Span) []part {
	edits := a.edits
	slices.SortStableFunc(edits, func(x, y edit) int { // what is inserted comes before what is replaced
		return cmp.Or(x.span.Start-y.span.Start, min(1, x.span.End-x.span.Start)-min(1, y.span.End-y.span.Start))
	})
	params := a.paramsFrom(span.Start)
	params = params[:sort.Search(len(params), func(i int) bool { return params[i].Span.Start >= span.End })]
	size := 2*len(params) + 2
	for _, e := range edits {
		if e.span.Start >= span.Start && e.span.End <= span.End {
			size += int(e.to-e.from) + 1
		}
	}
	return a.renderEdits(make([]part, 0, size), edits, span)
}

// renderEdits appends a part of the text with the edits in it, which are in the order
// of the text.
func (a *analysis) renderEdits(parts []part, edits []edit, span Span) []part {
	at := span.Start
	for _, e := range edits[sort.Search(len(edits), func(i int) bool { return edits[i].span.Start >= span.Start }):] {
		if a.tick(); a.err != nil || e.span.Start > span.End {
			break
		}
		if e.span.End > span.End {
			continue
		}
		if e.span.Start < at {
			a.refuse(e.span, "", "two changes of the text overlap", "write the statement more plainly")
			return nil
		}
		parts = a.plainParts(parts, Span{at, e.span.Start})
		for _, p := range a.parts[e.from:e.to] {
			if p.copied != nil {
				parts = a.renderEdits(parts, edits, *p.copied)
				continue
			}
			parts = append(parts, p)
		}
		at = e.span.End
	}
	return a.plainParts(parts, Span{at, span.End})
}

// paramsFrom lists the placeholders of the text from an offset on.
func (a *analysis) paramsFrom(at int) []ParamSite {
	sites := a.script.Params // in the order of the text
	return sites[sort.Search(len(sites), func(i int) bool { return sites[i].Span.Start >= at }):]
}

// plainParts copies text that no edit touches.
func (a *analysis) plainParts(parts []part, span Span) []part {
	at := span.Start
	for _, site := range a.paramsFrom(at) {
		if site.Span.End > span.End {
			break
		}
		if site.Span.Start > at {
			parts = append(parts, textPart(a.text[at:site.Span.Start]))
		}
		parts = append(parts, part{arg: argOf(ArgUser, site.Index), hint: int32(site.Index + 1)})
		at = site.Span.End
	}
	if span.End > at {
		parts = append(parts, textPart(a.text[at:span.End]))
	}
	return parts
}

// finish renders parts with placeholders.
func (a *analysis) finish(parts []part) Template { return finish(a.d, a.placeholders(), parts) }

// finish needs nothing of the analysis that changes, so that row-by-row
// statements can be built later and concurrently. of is nil for a text without
// placeholders of the user's.
func finish(d Dialect, of *placeholders, parts []part) Template {
	var t Template
	size, holes, widest := 0, 0, len(d.Placeholder(len(parts)))
	for i := range parts {
		p := &parts[i]
		size += len(p.text)
		if p.hole() {
			around := p.casts()
			size += len(around.open) + len(around.cast) + widest // what is too much stays in memory
			holes++
		}
	}
	var numbers numbering
	if d.NumberedPlaceholders() {
		numbers, t.Args = number(of, parts)
	} else if holes > 0 {
		t.Args = make([]Arg, 0, holes)
	}
	var b strings.Builder
	b.Grow(size)
	if holes > 0 {
		t.holes = make([]hole, 0, holes)
	}
	for i := range parts {
		p := &parts[i]
		if !p.hole() {
			b.WriteString(p.text)
			continue
		}
		n := int32(len(t.Args) + 1)
		if d.NumberedPlaceholders() {
			n = numbers.of(p.arg)
		} else {
			t.Args = append(t.Args, p.arg)
		}
		if p.added && endsInWord(b.String()) {
			b.WriteByte(' ')
		}
		around := p.casts()
		h := hole{start: int32(b.Len()), arg: n - 1}
		b.WriteString(around.open)
		b.WriteString(d.Placeholder(int(n)))
		b.WriteString(around.cast)
		if h.end = int32(b.Len()); p.literal {
			h.arg = ^h.arg
		}
		t.holes = append(t.holes, h)
		if p.added && i+1 < len(parts) && startsWithWord(parts[i+1]) {
			b.WriteByte(' ')
		}
	}
	t.Text = b.String()
	return t
}

func endsInWord(s string) bool { return s != "" && wordByte(s[len(s)-1]) }

func startsWithWord(p part) bool { return p.text != "" && wordByte(p.text[0]) }
