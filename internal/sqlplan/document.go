package sqlplan

import (
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// This file plans what statements do with parts of JSON documents. A document is stored as
// JSON whose values at protected paths are ciphertexts, so the server works on every other
// path. A part is known by a path that the text writes out: it is opened if it is a
// protected value, computed by the server if it has nothing to do with one, and refused
// otherwise. How servers write paths is in documentpath.go.

// DocumentPath is a protected path of a column whose values are JSON documents.
type DocumentPath struct {
	Path jsondoc.Path
	// Value and Text stand for the column where a result shows the path's value by itself:
	// as JSON, and as text without quotes.
	Value, Text *Column
}

const (
	hintDocument = "write the path of a part that holds no protected value, in literals, or select the document itself and compute in the application"
	hintPart     = "select the path by itself in a select list, or select the document, and compute in the application"
	hintEdit     = "write a path, or a key, that holds no protected value, in literals; or read the document, change it in the application and write it as a whole"
)

// document is the value of an expression that is a column of documents.
func (a *analysis) document(e Expr, s *scope) (v value, ok bool) {
	if cast, ok := e.(*Cast); ok && (cast.Type == "json" || cast.Type == "jsonb") {
		e = cast.Expr
	}
	c, ok := e.(*ColumnRef)
	if !ok || c.Star || s == nil {
		return value{}, false
	}
	v = a.lookup(c, s)
	return v, v.protected() && v.column.Paths != nil
}

// partOf returns the part of a document that the expression reads, and the document's
// value. It reports false for an expression that reads no part.
func (a *analysis) partOf(e Expr, s *scope) (p docPart, v value, ok bool) {
	if !a.p.documents {
		return docPart{}, value{}, false
	}
	if p, ok = a.part(e); !ok {
		return docPart{}, value{}, false
	}
	v, ok = a.document(p.of, s)
	return p, v, ok
}

// apart reports whether a path is known and reaches, contains and lies in no protected value.
func (c *Column) apart(p docPart) bool {
	for _, asked := range append([]jsondoc.Path{p.path}, p.also...) {
		if asked == nil || slices.ContainsFunc(c.Paths, func(own DocumentPath) bool { return own.Path.Overlaps(asked) }) ||
			slices.ContainsFunc(c.Terms, func(term jsondoc.Path) bool { return term.Overlaps(asked) }) {
			return false
		}
	}
	return true
}

// at is the column that a part is a value of: a protected value, or a part that holds some.
// It is nil for every other part.
func (c *Column) at(p docPart) *Column {
	if p.path == nil || p.also != nil {
		return nil
	}
	for _, list := range [][]DocumentPath{c.Paths, c.Within} {
		for _, own := range list {
			switch {
			case !own.Path.Same(p.path):
			case p.text:
				return own.Text
			default:
				return own.Value
			}
		}
	}
	return nil
}

// usesPart checks an expression that reads a part of a document. It reports false for
// every other expression.
func (a *analysis) usesPart(e Expr, s *scope) bool {
	p, v, ok := a.partOf(e, s)
	switch {
	case a.testsDocument(e, s):
		return true
	case !ok:
		return false
	case v.column.apart(p):
	case v.column.at(p) != nil:
		a.refuse(e.At(), v.column.object(), "a protected path of a document, or a part that holds one, is used otherwise than in a select list", hintPart)
	case p.path == nil:
		a.refuse(e.At(), v.column.object(), "a part of a document by a path that the text does not write out", hintDocument)
	default:
		a.refuse(e.At(), v.column.object(), "a part of a document that lies in a protected value, or a path that may reach one otherwise than the policy writes it", hintDocument)
	}
	return true
}

// testsPart checks a test for NULL of a part of a document: a value is NULL or null where
// its ciphertext is.
func (a *analysis) testsPart(e *IsNull, s *scope) bool {
	p, v, ok := a.partOf(e.Expr, s)
	if !ok && a.p.documents {
		p, v, ok = a.respelt(e.Expr, s)
	}
	return ok && (v.column.apart(p) || v.column.at(p) != nil)
}

// tracePart is the lineage of a protected path, of a part that holds protected values, and
// of a document as text: the server shows it with its ciphertexts, and the driver opens
// them. ok is false for every other expression.
func (a *analysis) tracePart(e Expr, s *scope) (v value, ok bool) {
	if a.view || !a.p.documents {
		return value{}, false
	}
	p, v, ok := a.partOf(e, s)
	if !ok {
		p, v, ok = a.respelt(e, s)
	}
	if !ok || p.unreadable {
		return value{}, false
	}
	if v.column = v.column.at(p); v.column == nil || p.scalar != nil && !a.showsScalar(p.scalar, v.column) {
		return value{}, false
	}
	v.name = v.column.Name
	return v, true
}

// showsScalar has JSON_VALUE show a protected value whole. It reports false for a path that
// may hold objects and arrays, in whose place JSON_VALUE shows NULL.
func (a *analysis) showsScalar(call *Call, c *Column) bool {
	before, after := a.d.ScalarOfDocument()
	switch {
	case c.Type == "json":
		return false
	case before == "":
		return true
	case call.ArgsEnd == 0:
		return false
	}
	a.replace(call.Span, textPart(before))
	a.replace(Span{call.ArgsEnd, call.ArgsEnd + 1}, textPart(after))
	return true
}

// respelt is partOf for a cast of a document, or of a part of one, that keeps its JSON text.
func (a *analysis) respelt(e Expr, s *scope) (p docPart, v value, ok bool) {
	cast, isCast := e.(*Cast)
	if !isCast || cast.Array || !(cast.Plain && a.d.SameType(cast.Type, "text") || cast.Plain && cast.Type == "json" || cast.Typed && cast.Type == "jsonb") {
		return docPart{}, value{}, false
	}
	if p, v, ok = a.partOf(cast.Expr, s); ok {
		return p, v, !p.text || cast.Type == "text"
	}
	if v, ok = a.document(cast.Expr, s); ok {
		return docPart{path: jsondoc.Path{}}, v, true
	}
	return a.respelt(cast.Expr, s)
}

// traced is the lineage of a column, or of a part of a document.
func (a *analysis) traced(e Expr, s *scope) value {
	if c, ok := e.(*ColumnRef); ok {
		if c.Star {
			return value{}
		}
		return a.lookup(c, s)
	}
	v, _ := a.tracePart(e, s)
	return v
}

// editsDocument reports whether the expression is the document of the written row with parts
// of it changed by functions of the server. It yields the values that are put at protected
// paths, and refuses what would put another value there.
func (a *analysis) editsDocument(t *target, c *Column, e Expr, yield yieldPart) bool {
	if c.Paths == nil {
		return false
	}
	edit, ok := a.edit(e)
	if _, operator := e.(*Op); !ok || operator && a.columnType(c.Table, c.Name) != "jsonb" {
		return false
	}
	if of, ok := edit.of.(*ColumnRef); ok && !of.Star {
		v := a.lookup(of, t.scope)
		if v.kind != valueStored || v.column != c || v.row != t.item.row {
			return false
		}
	} else if !a.isDocumentOr(t, c, edit.of) && !a.editsDocument(t, c, edit.of, yield) {
		return false
	}
	for _, x := range edit.removes {
		a.removesPart(c, e, x)
	}
	for _, x := range edit.sets {
		a.setsPart(t, c, e, x, yield)
	}
	a.merges(t, c, edit, yield)
	for _, x := range edit.values {
		a.checkUse(x, t.scope, use{"a protected value in a part of a document", hintCompute})
	}
	return true
}

// setsPart plans an assignment to a part of a document.
func (a *analysis) setsPart(t *target, c *Column, e Expr, x docSet, yield yieldPart) {
	if c.apart(docPart{path: x.path}) {
		if inner, isText := a.asJSON(x.value); isText {
			x.value = inner
		}
		a.checkUse(x.value, t.scope, use{"a protected value in a part of a document", hintCompute})
		return
	}
	own := c.at(docPart{path: x.path, text: x.text})
	switch {
	case a.err != nil:
	case own == nil || x.joins || x.text && own.Within != nil:
		a.refuse(e.At(), c.object(), "an UPDATE of a part of a document that contains or lies in a protected value, or is not written out", hintEdit)
	case !t.edits:
		a.refuse(e.At(), own.object(), "a protected value of a document is set by itself outside an UPDATE of given rows", hintEdit)
	case !a.sealable(x):
		a.refuse(e.At(), own.object(), "a protected value of a document is set to something that the server computes", "set it to a parameter or a string: to_jsonb($1::text), or $1 with a JSON text, on Postgres")
	case isNull(x.value):
		a.nullTerm(own, x)
	default:
		yield(own, x)
	}
}

// sealable reports whether the value of a part is a parameter or a literal whose JSON text
// is known.
func (a *analysis) sealable(x docSet) bool {
	if !leaf(x.value) {
		return false
	}
	inner, typed := x.value.(*Cast)
	if x.text && typed {
		return inner.Plain && a.d.SameType(inner.Type, "text") && noNumber(inner.Expr)
	}
	return !x.text && (!typed || inner.Typed && inner.Type == "jsonb") || x.text && noNumber(x.value)
}

// noNumber reports whether a value is no number and no bool that the text writes out.
func noNumber(e Expr) bool {
	c, ok := e.(*Constant)
	return !ok || c.Value.Kind == LiteralString
}

// merges plans the document that is merged into that of the row: it is sealed as a whole
// one is, unless it has no protected value.
func (a *analysis) merges(t *target, c *Column, edit docEdit, yield yieldPart) {
	if edit.merged == nil || isNull(edit.merged) || a.err != nil {
		return
	}
	if text, ok := literalText(edit.merged); ok && c.harmless(text) {
		return
	}
	if isReference(edit.merged) && !a.proposes(t, c, edit.merged) {
		a.refuse(edit.merged.At(), c.object(), "a document is merged that the server holds", hintEdit)
		return
	}
	mixed := slices.ContainsFunc(c.Paths, func(own DocumentPath) bool { return own.Text.Type == "json" })
	switch {
	case edit.deep && mixed:
		a.refuse(edit.merged.At(), c.object(), "a document is merged whose protected values may be objects, which the server would merge too", "give the paths of the policy another type than json, or write the document as a whole")
	case !t.edits:
		a.refuse(edit.merged.At(), c.object(), "a document is merged outside an UPDATE of given rows", hintEdit)
	default:
		yield(c, docSet{value: edit.merged})
	}
}

// proposes reports whether an expression is the column as it was proposed for the row.
func (a *analysis) proposes(t *target, c *Column, e Expr) bool {
	switch e := e.(type) {
	case *ValuesRef:
		return a.d.SameColumn(e.Column, c.Name)
	case *ColumnRef:
		v := a.lookup(e, t.scope)
		return v.kind == valueStored && v.column == c && t.proposed != nil && v.row == t.proposed.row
	}
	return false
}

// isDocumentOr reports whether the expression is COALESCE of the document of the written
// row and a literal without protected values.
func (a *analysis) isDocumentOr(t *target, c *Column, e Expr) bool {
	args := coalesced(e)
	if len(args) != 2 {
		return false
	}
	v, ok := a.document(args[0], t.scope)
	literal, isLiteral := a.operand(args[1], "")
	return ok && v.kind == valueStored && v.column == c && v.row == t.item.row && isLiteral && literal.Kind == OperandLiteral && c.harmless(literal.Literal.Text)
}

// harmless reports whether a text is a document without protected values.
func (c *Column) harmless(text string) bool {
	paths := make(jsondoc.Paths, len(c.Paths))
	for i := range c.Paths {
		paths[i] = c.Paths[i].Path
	}
	found, err := paths.FindAll([]byte(text))
	if len(c.Terms) == 0 { // else a null takes the place of a value, and not of its term
		found = slices.DeleteFunc(found, func(f jsondoc.Found) bool { return f.Null })
	}
	terms, _ := jsondoc.Paths(c.Terms).FindAll([]byte(text))
	return c.Paths != nil && err == nil && len(found)+len(terms) == 0
}

// sealCast is [Dialect.SealCast]. A document has the type of its column where the server
// does not take the type from there.
func (a *analysis) sealCast(c *Column) (before, after string) {
	switch {
	case c.Text:
		return "", a.d.KeyCast(RelationColumn{Type: "text"})
	case c.Paths == nil && c.Of == nil:
		return a.d.SealCast(c)
	case c.Of != nil:
		c = c.Of
	}
	return "", a.d.DocumentCast(a.columnType(c.Table, c.Name))
}

// own reports whether a call is a plain one of a function of the server that has one of the
// names.
func (a *analysis) own(c *Call, names ...string) bool {
	if len(c.Rest) > 0 || c.Distinct || c.Star || c.Windowed || c.Schema != "" && !a.d.BuiltinSchema(c.Schema) {
		return false
	}
	for _, n := range names {
		if strings.EqualFold(c.Name, n) {
			return true
		}
	}
	return false
}
