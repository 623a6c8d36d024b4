package sqlplan

import (
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// This file writes the equality terms of values that a statement sets in a document by
// themselves, and takes terms away with their values.

// yieldPart takes a value that is put at a protected path of a document, by the path's
// column, or a document that is merged.
type yieldPart func(own *Column, x docSet)

// beside is the term that is written with the column's values: its own, or for the values of
// a path the member beside them. It is nil for values that cannot be searched.
func (c *Column) beside() *Term {
	if c.Of == nil {
		return c.Term
	}
	for _, own := range c.Of.Paths {
		if own.Value == c || own.Text == c {
			return own.Text.Term
		}
	}
	return nil
}

// removesPart checks what an expression takes away of a document. A value that can be
// searched takes its term along.
func (a *analysis) removesPart(c *Column, e Expr, x docRemoval) {
	own := c.at(docPart{path: x.path})
	switch {
	case x.path == nil:
		a.refuse(e.At(), c.object(), "a part of a document is removed by a path that the text does not write out", hintEdit)
	case c.apart(docPart{path: x.path}):
	case c.inValue(x.path):
		a.refuse(e.At(), c.object(), "a part of a protected value of a document is removed", hintEdit)
	case own != nil && own.beside() != nil:
		a.removesTerm(own, e, x)
	case own == nil && c.partsTerm(x.path):
		a.refuse(e.At(), c.object(), "an equality term of a document is removed, or a value that can be searched by a path that the policy writes otherwise", hintEdit)
	}
}

// removesTerm takes away the term of a value that is removed.
func (a *analysis) removesTerm(own *Column, e Expr, x docRemoval) {
	path := x.form.write(x.path, own.beside().Column)
	if !leaf(x.by) || path == "" {
		a.refuse(e.At(), own.object(), "a value of a document that can be searched is removed in a form that its equality term cannot follow", "write payload - 'email', payload #- '{contact,email}' or JSON_REMOVE(payload, '$.email')")
		return
	}
	a.insertText(x.by.At().End, x.operator+path)
}

// inValue reports whether a path lies in a protected value that may be an object or an array.
func (c *Column) inValue(path jsondoc.Path) bool {
	least, _ := path.Members()
	return slices.ContainsFunc(c.Paths, func(own DocumentPath) bool {
		n := len(own.Path)
		members, _ := own.Path.Members()
		return own.Text.Type == "json" && own.Path.Overlaps(path) && (least > members || len(path) > n && own.Path.Same(path[:n]))
	})
}

// partsTerm reports whether a path may reach a value that can be searched and not its term, or
// the term and not the value. A path that leads to both reaches what they lie in.
func (c *Column) partsTerm(path jsondoc.Path) bool {
	_, most := path.Members()
	parts := func(own jsondoc.Path) bool { return own.Overlaps(path) && most >= len(own) }
	return slices.ContainsFunc(c.Terms, parts) || slices.ContainsFunc(c.Paths, func(own DocumentPath) bool { return own.Text.Term != nil && parts(own.Path) })
}

// write spells a path in a literal, with another key in the place of its last step. It
// is empty for keys that cannot be written so that every session reads them alike.
func (f pathForm) write(path jsondoc.Path, key string) string {
	keys := make([]string, 0, len(path))
	for _, s := range path[:len(path)-1] {
		if strings.ContainsAny(s.Key, `'"\`) {
			return ""
		}
		keys = append(keys, `"`+s.Key+`"`)
	}
	keys = append(keys, `"`+key+`"`)
	switch f {
	case pathArray:
		return "'{" + strings.Join(keys, ",") + "}'"
	case pathDollar:
		return "'$." + strings.Join(keys, ".") + "'"
	}
	return "'" + key + "'"
}

// nullTerm sets the term of a value that becomes NULL.
func (a *analysis) nullTerm(own *Column, x docSet) {
	if own.beside() == nil {
		return
	}
	before, after := a.sealCast(own)
	a.setTerm(own, x, textPart(before+"NULL"+after))
}

// setTerm sets the term of a value that a call sets in a document: by a further pair in the
// call, or by a call of the same function around it.
func (a *analysis) setTerm(own *Column, x docSet, term part) {
	form, key := pathArray, own.beside().Column
	if x.pairs {
		if form = pathDollar; a.own(x.by, "jsonb_build_object", "json_build_object", "json_object") {
			form = pathKey
		}
	}
	path := form.write(x.path, key)
	switch {
	case path == "":
		a.refuse(x.value.At(), own.object(), "a value of a document that can be searched is set at a path whose keys have quotes or backslashes", hintEdit)
	case x.pairs:
		a.insertParts(x.value.At().End, a.termPair(x, path, term)...)
	default:
		a.aroundCall(own, x, path, term)
	}
}

// termPair is a path, or a key, and the term behind a value. JSON_INSERT keeps a value that
// is there, and its term: the path is that of the value then.
func (a *analysis) termPair(x docSet, path string, term part) []part {
	if !a.own(x.by, "json_insert") {
		return []part{textPart(", " + path + ", "), term}
	}
	of, ok := x.by.Args[0].(*ColumnRef)
	if !ok {
		a.refuse(x.value.At(), "", "JSON_INSERT of a value that can be searched into a document that is changed already", "use JSON_SET, or name the column by itself in JSON_INSERT")
		return nil
	}
	value := pathDollar.write(x.path, x.path[len(x.path)-1].Key)
	return []part{textPart(", IF(JSON_CONTAINS_PATH("), copyPart(of.Span), textPart(", 'one', " + value + "), " + value + ", " + path + "), "), term}
}

// aroundCall writes a call of the function that sets a part around that call: it sets the
// term, and makes of it what it makes of the value.
func (a *analysis) aroundCall(own *Column, x docSet, path string, term part) {
	name := strings.ToLower(x.by.Name) + "("
	if x.by.Schema != "" {
		name = x.by.Schema + "." + name
	}
	parts := []part{textPart(", " + path + ", "), term}
	if x.text {
		parts = []part{textPart(", " + path + ", to_jsonb("), term, textPart(")")}
	}
	for _, more := range x.by.Args[3:] {
		if !leaf(more) {
			a.refuse(more.At(), own.object(), "a value of a document that can be searched is set by a call whose further arguments are computed", "write them as literals or parameters")
			return
		}
		parts = append(parts, textPart(", "), copyPart(more.At()))
	}
	a.insertText(x.by.Start, name)
	a.insertParts(x.by.ArgsEnd+1, append(parts, textPart(")"))...)
}

// partTerms writes the terms of the values that an UPDATE sets in documents by themselves.
func (u *updating) partTerms(term func(w cellWork) part) {
	for _, w := range u.work {
		if w.leaf.set.by != nil && w.column.beside() != nil {
			u.a.setTerm(w.column, w.leaf.set, term(w))
		}
	}
}

// readyTerm is the term of a value that is sealed in place.
func (u *updating) readyTerm(w cellWork) part {
	return u.a.termHole(u.readyTerms[w.leaf.expr], TermValue, false)
}
