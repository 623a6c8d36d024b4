package sqlplan

import (
	"strings"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// This file turns comparisons of protected paths of documents into comparisons of the
// equality terms that lie beside the values. The literal that ends the path is replaced:
// payload->>'email' becomes payload->>'email_eq'.

// searchedPart is the value that an expression reads at a searchable path.
func (a *analysis) searchedPart(e Expr, s *scope) (docPart, value) {
	p, v, ok := a.partOf(e, s)
	if !ok || a.view || p.unreadable || p.also != nil || !p.text && a.d.NumberedPlaceholders() {
		return docPart{}, value{} // JSON is compared with JSON on Postgres
	}
	own := v.column.at(docPart{path: p.path, text: true})
	if own == nil || own.Term == nil {
		return docPart{}, value{}
	}
	v.column, v.name = own, own.Name
	return p, v
}

// replacePart has a part of a document be that of its term.
func (a *analysis) replacePart(peeled peeled, s *scope) {
	p, v := a.searchedPart(peeled.expr, s)
	literal, ok := lastLiteral(p.last)
	text := ""
	if ok {
		text = p.written.renamed(literal.Value.Text, v.column.Term.Column)
	}
	quoted := !p.text && peeled.calls > 0 // the function sees the quotes of a JSON string
	if text == "" || quoted || strings.ContainsAny(text, `'\`) || !a.unwrap(peeled) {
		a.refuse(peeled.expr.At(), v.column.object(), "a comparison of a searchable path of a document that is written in a form whose term is not found", "write payload->>'email', or on MySQL JSON_UNQUOTE(JSON_EXTRACT(payload, '$.email')), alone or in lower()")
		return
	}
	a.replace(literal.Span, textPart("'"+text+"'"))
}

// lastLiteral is the literal string beneath casts.
func lastLiteral(e Expr) (*Constant, bool) {
	for {
		switch x := e.(type) {
		case *Constant:
			return x, x.Value.Kind == LiteralString && x.End > x.Start
		case *Cast:
			e = x.Expr
		default:
			return nil, false
		}
	}
}

// renamed is a path, as a literal writes it, whose last step is another key. It is empty
// where the path is not read.
func (f pathForm) renamed(text, key string) string {
	switch f {
	case pathKey:
		return key
	case pathArray:
		steps := arrayText(text)
		if len(steps) == 0 {
			return ""
		}
		var keys []string
		for _, s := range steps[:len(steps)-1] {
			if strings.Contains(s.Key, `"`) {
				return ""
			}
			keys = append(keys, `"`+s.Key+`"`)
		}
		return "{" + strings.Join(append(keys, key), ",") + "}"
	case pathDollar:
		at := strings.LastIndexByte(text, '.')
		if quoted := strings.LastIndex(text, `."`); strings.HasSuffix(text, `"`) {
			at = quoted
		}
		if at < 0 || strings.HasSuffix(text, "]") {
			return ""
		}
		return text[:at] + "." + key
	}
	return ""
}

// unwrap takes off the functions around an operand that its term stands for too.
func (a *analysis) unwrap(p peeled) bool {
	at := p.at.Start
	for range p.calls {
		open := strings.IndexByte(a.text[at:], '(')
		if open < 0 || !isPeeled[strings.ToLower(strings.TrimSpace(a.text[at:at+open]))] {
			return false
		}
		a.replace(Span{at, at + open}, textPart(""))
		at += open + 1
		at += len(a.text[at:]) - len(strings.TrimLeft(a.text[at:], spaces))
	}
	return true
}

// isPeeled has the functions that [analysis.peel] takes off.
var isPeeled = map[string]bool{"lower": true, "lcase": true, "upper": true, "ucase": true, "trim": true, "btrim": true}

// partTerm writes the term of a path that a query shows under a name: it is read of the
// document, which the query is made to show too.
func (a *analysis) partTerm(e Expr, v value, s *scope) string {
	var path jsondoc.Path
	for _, own := range v.column.Of.Paths {
		if own.Text == v.column {
			path = own.Path
		}
	}
	document := ""
	if _, named := e.(*ColumnRef); named && v.kind == valueStored {
		document = a.reachText(v.row, v.column.Of.Name)
	}
	text := ""
	if document != "" && len(path) > 0 && !a.hides(s, v.row) {
		keys := make([]string, len(path))
		for i, step := range path {
			keys[i] = step.Key
		}
		keys[len(keys)-1] = v.column.Term.Column
		text = a.d.DocumentText(document, a.columnType(v.column.Table, v.column.Of.Name), keys)
	}
	if text == "" {
		a.refuse(e.At(), v.column.object(), "a comparison of a searchable path of a document whose equality term is not in reach", "compare it where the table itself is read")
	}
	return text
}
