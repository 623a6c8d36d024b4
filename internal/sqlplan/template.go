package sqlplan

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// edit replaces a span of the original text; an empty span is an insertion.
type edit struct {
	span  Span
	parts []part
}

// part is a run of text, a hole for an argument, or a place that differs with
// the number of rows.
type part struct {
	text string
	arg  *Arg
	// open and cast stand before and after the placeholder.
	open, cast string
	// literal: the hole was a literal. added: the hole stands where the
	// original text had something else, so that it may need space around it.
	literal, added bool
	// hint is the number of the user's parameter that the hole stands for.
	hint int
	// expand writes the part for a number of rows of each table (row by row).
	expand func(rows []int) []part
	// copied repeats a span of the text with the edits within it.
	copied *Span
}

func textPart(s string) part { return part{text: s} }

func argPart(arg Arg) part { return part{arg: &arg, added: true} }

// insertText adds text at an offset.
func (a *analysis) insertText(at int, text string) {
	a.edits = append(a.edits, edit{span: Span{at, at}, parts: []part{textPart(text)}})
}

func (a *analysis) replace(span Span, parts ...part) {
	a.edits = append(a.edits, edit{span: span, parts: parts})
}

// render cuts a span of the original text into parts, with the edits within it
// made and the user's remaining placeholders as holes.
func (a *analysis) render(span Span) []part {
	edits := slices.Clone(a.edits)
	slices.SortStableFunc(edits, func(x, y edit) int { // what is inserted comes before what is replaced
		return cmp.Or(x.span.Start-y.span.Start, min(1, x.span.End-x.span.Start)-min(1, y.span.End-y.span.Start))
	})
	return a.renderEdits(make([]part, 0, 2*(len(edits)+len(a.script.Params))+1), edits, span)
}

// renderEdits appends a part of the text with the edits in it, which are in the order
// of the text.
func (a *analysis) renderEdits(parts []part, edits []edit, span Span) []part {
	at := span.Start
	for _, e := range edits[sort.Search(len(edits), func(i int) bool { return edits[i].span.Start >= span.Start }):] {
		if e.span.Start > span.End {
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
		for _, p := range e.parts {
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

// plainParts copies text that no edit touches.
func (a *analysis) plainParts(parts []part, span Span) []part {
	at := span.Start
	sites := a.script.Params // in the order of the text
	for _, site := range sites[sort.Search(len(sites), func(i int) bool { return sites[i].Span.Start >= at }):] {
		if site.Span.End > span.End {
			break
		}
		if site.Span.Start > at {
			parts = append(parts, textPart(a.text[at:site.Span.Start]))
		}
		parts = append(parts, part{arg: &Arg{Kind: ArgUser, Index: site.Index}, hint: site.Index + 1})
		at = site.Span.End
	}
	if span.End > at {
		parts = append(parts, textPart(a.text[at:span.End]))
	}
	return parts
}

// finish renders parts with placeholders.
func (a *analysis) finish(parts []part) Template { return finish(a.d, a.script, parts) }

// finish needs nothing of the analysis that changes, so that row-by-row
// statements can be built later and concurrently.
func finish(d Dialect, script *Script, parts []part) Template {
	var t Template
	var numbers map[Arg]int
	if d.NumberedPlaceholders() {
		numbers, t.Args = number(script, parts)
	}
	var b strings.Builder
	size, args := 0, 0
	for _, p := range parts {
		size += len(p.text) + len(p.open) + len(p.cast) + 8
		if p.arg != nil {
			args++
		}
	}
	b.Grow(size)
	t.Pieces = make([]Piece, 0, 2*args+1)
	if numbers == nil && args > 0 {
		t.Args = make([]Arg, 0, args)
	}
	text := 0 // where the run of text begins that is not in a piece yet
	for i, p := range parts {
		if p.arg == nil {
			b.WriteString(p.text)
			continue
		}
		n := len(t.Args) + 1
		if numbers != nil {
			n = numbers[*p.arg]
		} else {
			t.Args = append(t.Args, *p.arg)
		}
		if p.added && endsInWord(b.String()) {
			b.WriteByte(' ')
		}
		t.addText(b.String()[text:])
		begins := b.Len()
		b.WriteString(p.open)
		b.WriteString(d.Placeholder(n))
		b.WriteString(p.cast)
		text = b.Len()
		placeholder := b.String()[begins:]
		t.Pieces = append(t.Pieces, Piece{Arg: p.arg, Placeholder: placeholder, Literal: p.literal})
		if p.added && i+1 < len(parts) && startsWithWord(parts[i+1]) {
			b.WriteByte(' ')
		}
	}
	t.Text = b.String()
	t.addText(t.Text[text:])
	return t
}

func (t *Template) addText(s string) {
	if s != "" {
		t.Pieces = append(t.Pieces, Piece{Text: s})
	}
}

func endsInWord(s string) bool { return s != "" && wordByte(s[len(s)-1]) }

func startsWithWord(p part) bool { return p.text != "" && wordByte(p.text[0]) }

// number gives each distinct argument a number: the user's parameters keep
// theirs, a sealed parameter takes the one it had if nothing else does, and the
// rest follow. Numbers that fall out of use are closed up.
func number(script *Script, parts []part) (map[Arg]int, []Arg) {
	numbers := make(map[Arg]int, script.NumParams)
	used := make([]bool, script.NumParams) // by the user's text
	for _, p := range script.Params {
		used[p.Index] = true
	}
	has := func(index int) bool { return index < len(used) && used[index] }
	taken := make([]*Arg, script.NumParams)
	place := func(arg *Arg, n int) {
		for n > len(taken) {
			taken = append(taken, nil)
		}
		taken[n-1] = arg
		numbers[*arg] = n
	}
	for _, p := range parts {
		if p.arg != nil && p.arg.Kind == ArgUser {
			place(p.arg, p.arg.Index+1)
		}
	}
	for _, p := range parts {
		if p.arg == nil || p.hint == 0 || p.hint > len(taken) || taken[p.hint-1] != nil {
			continue
		}
		if _, done := numbers[*p.arg]; !done {
			place(p.arg, p.hint)
		}
	}
	next := 1
	for _, p := range parts {
		if p.arg == nil {
			continue
		}
		if _, done := numbers[*p.arg]; done {
			continue
		}
		for next <= len(taken) && (taken[next-1] != nil || !has(next-1)) {
			next++
		}
		place(p.arg, next)
	}
	return closeUp(taken, has)
}

// closeUp removes the numbers that the text no longer uses. Those that it
// never used stay, for the server to complain about.
func closeUp(taken []*Arg, has func(int) bool) (map[Arg]int, []Arg) {
	numbers := make(map[Arg]int, len(taken))
	args := make([]Arg, 0, len(taken))
	for i, arg := range taken {
		switch {
		case arg != nil:
			args = append(args, *arg)
			numbers[*arg] = len(args)
		case !has(i):
			args = append(args, Arg{Kind: ArgUser, Index: i})
		}
	}
	return numbers, args
}
