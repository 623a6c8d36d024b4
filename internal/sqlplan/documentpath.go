package sqlplan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// docPart is a part of a document that an expression reads or writes.
type docPart struct {
	of Expr // the document
	// also are further paths of which values are read.
	also []jsondoc.Path
	// path is nil for a path that the text does not write out in literals.
	path jsondoc.Path
	// text is true if the part is shown as text: a string without its quotes.
	text bool
	// unreadable is true if the server may show another text than the part's.
	unreadable bool
	// scalar is the call of JSON_VALUE that shows the part, or nil.
	scalar *Call
	// last is the literal that writes the end of the path out, and written how it does.
	last    Expr
	written pathForm
}

// pathForm is a way to write a path, or a step of one, in a literal.
type pathForm uint8

const (
	pathKey    pathForm = iota // 'email'
	pathArray                  // '{contact,email}'
	pathDollar                 // '$.contact.email'
)

// ending notes how the path is written out.
func (p docPart) ending(last Expr, form pathForm) docPart {
	p.last, p.written = last, form
	return p
}

// docEdit is what a function of the server changes in a document.
type docEdit struct {
	of      Expr
	removes []docRemoval
	sets    []docSet
	// merged is a document whose members take the place of those of the document, or nil.
	// deep is true if members that are objects on both sides are merged too.
	merged Expr
	deep   bool
	values []Expr // further arguments
}

// docSet is a part that is set.
type docSet struct {
	path  jsondoc.Path // nil for a path that the text does not write out
	value Expr
	text  bool // the value is text that becomes a string, not JSON
	joins bool // what is there already becomes a part of what is written
	// by is the call that sets the part; pairs is true if a further path, or a further key,
	// and its value may stand behind the value in it.
	by    *Call
	pairs bool
}

// docRemoval is a part that is taken away.
type docRemoval struct {
	path jsondoc.Path // nil for a path that the text does not write out
	by   Expr         // what writes it out
	// operator is written before a further path, which has the form.
	operator string
	form     pathForm
}

// part takes apart an expression that reads a part of a document.
func (a *analysis) part(e Expr) (docPart, bool) {
	switch e := e.(type) {
	case *Op:
		if len(e.Operands) != 2 {
			return docPart{}, false
		}
		switch e.What {
		case "->", "->>":
			return a.step(e.Operands[0], keyStep(e.Operands[1]), e.What == "->>").ending(e.Operands[1], pathKey), true
		case "#>", "#>>":
			p := a.step(e.Operands[0], arrayPath(e.Operands[1]), e.What == "#>>")
			if list, ok := e.Operands[1].(*Op); ok && len(list.Operands) > 0 {
				return p.ending(list.Operands[len(list.Operands)-1], pathKey), true
			}
			return p.ending(e.Operands[1], pathArray), true
		case OpSubscript:
			return a.step(e.Operands[0], subscript(e.Operands[1]), false).ending(e.Operands[1], pathKey), true
		}
	case *Call:
		return a.partByCall(e)
	}
	return docPart{}, false
}

func (a *analysis) partByCall(c *Call) (docPart, bool) {
	switch {
	case len(c.Args) == 0:
	case a.own(c, "json_unquote") && len(c.Args) == 1:
		p, ok := a.part(c.Args[0])
		p.text = true
		return p, ok
	case a.own(c, "json_extract", "json_value", "json_query") && len(c.Args) == 2:
		value := a.own(c, "json_value")
		p := a.step(c.Args[0], dollarPath(c.Args[1]), value).ending(c.Args[1], pathDollar)
		p.unreadable = a.own(c, "json_query")
		if value {
			p.scalar = c
		}
		return p, true
	case a.own(c, "json_extract") && len(c.Args) > 2:
		p := a.step(c.Args[0], dollarPath(c.Args[1]), false)
		for _, x := range c.Args[2:] {
			p.also = append(p.also, a.step(c.Args[0], dollarPath(x), false).path)
		}
		p.unreadable = true
		return p, true
	case a.own(c, "jsonb_extract_path", "json_extract_path", "jsonb_extract_path_text", "json_extract_path_text"):
		return a.step(c.Args[0], keyPath(c.Args[1:]), strings.HasSuffix(strings.ToLower(c.Name), "_text")).ending(c.Args[len(c.Args)-1], pathKey), true
	}
	return docPart{}, false
}

// step goes on from a document, or from a part of one. steps are nil if they are not
// written out.
func (a *analysis) step(of Expr, steps jsondoc.Path, text bool) docPart {
	p, ok := a.part(of)
	switch {
	case !ok:
		p = docPart{of: of, path: jsondoc.Path{}}
	case p.text:
		return docPart{of: p.of} // a JSON text within a string
	}
	if p.text = text; steps == nil {
		p.path = nil
	}
	if p.path != nil {
		p.path = append(slices.Clip(p.path), steps...)
	}
	return p
}

// edit takes apart an expression that changes parts of a document.
func (a *analysis) edit(e Expr) (docEdit, bool) {
	switch e := e.(type) {
	case *Op:
		if len(e.Operands) != 2 {
			return docEdit{}, false
		}
		of, with := e.Operands[0], e.Operands[1]
		switch e.What {
		case "-":
			return docEdit{of: of, removes: []docRemoval{{keyStep(with), with, " - ", pathKey}}}, true
		case "#-":
			return docEdit{of: of, removes: []docRemoval{{arrayPath(with), with, " #- ", pathArray}}}, true
		case "||":
			out := docEdit{of: of}
			a.members(&out, with, false)
			return out, true
		}
	case *Call:
		return a.editByCall(e)
	}
	return docEdit{}, false
}

func (a *analysis) editByCall(c *Call) (docEdit, bool) {
	if len(c.Args) < 2 {
		return docEdit{}, false
	}
	out := docEdit{of: c.Args[0]}
	rest := c.Args[1:]
	switch {
	case a.own(c, "jsonb_set", "jsonb_insert", "jsonb_set_lax") && len(rest) > 1:
		value, text := a.asJSON(rest[1])
		out.sets, out.values = []docSet{{path: arrayPath(rest[0]), value: value, text: text, by: c}}, rest[2:]
	case a.own(c, "json_set", "json_replace", "json_insert", "json_array_append", "json_array_insert") && len(rest)%2 == 0:
		for i := 0; i < len(rest); i += 2 {
			path := dollarPath(rest[i])
			if path != nil && a.own(c, "json_array_append") {
				path = append(path, jsondoc.Step{Kind: jsondoc.Index})
			}
			out.sets = append(out.sets, docSet{path: path, value: rest[i+1], text: true, by: c, pairs: true})
		}
	case a.own(c, "json_remove"):
		for _, x := range rest {
			out.removes = append(out.removes, docRemoval{dollarPath(x), x, ", ", pathDollar})
		}
	case a.own(c, "json_merge_patch") && len(rest) == 1:
		out.deep = true
		a.members(&out, rest[0], false)
	case a.own(c, "json_merge_patch", "json_merge_preserve"):
		for _, x := range rest {
			a.members(&out, x, true)
		}
	default:
		return docEdit{}, false
	}
	return out, true
}

// asJSON is the argument of to_jsonb, if the expression is a call of it.
func (a *analysis) asJSON(e Expr) (value Expr, text bool) {
	if c, ok := e.(*Call); ok && a.own(c, "to_jsonb", "to_json") && len(c.Args) == 1 {
		return c.Args[0], true
	}
	return e, false
}

// members are the members of an object that is merged into a document: a call that makes
// an object of keys in literals and values, or a document in a parameter or literal. Another
// expression is one part without a path.
func (a *analysis) members(out *docEdit, e Expr, joins bool) {
	if c, ok := e.(*Call); ok && a.own(c, "jsonb_build_object", "json_build_object", "json_object") && len(c.Args)%2 == 0 {
		for i := 0; i < len(c.Args); i += 2 {
			cast, typed := c.Args[i+1].(*Cast)
			out.sets = append(out.sets, docSet{path: keyStep(c.Args[i]), value: c.Args[i+1], text: !typed || !cast.Typed, joins: joins, by: c, pairs: true})
		}
		return
	}
	text, ok := literalText(e)
	var object map[string]json.RawMessage
	isObject := ok && json.Unmarshal([]byte(text), &object) == nil && object != nil
	switch {
	case isObject && joins:
		for key := range object {
			out.sets = append(out.sets, docSet{path: jsondoc.Path{{Kind: jsondoc.Member, Key: key}}, joins: true})
		}
	case (leaf(e) || isReference(e)) && !joins:
		out.merged = e
	default:
		out.sets = append(out.sets, docSet{value: e, joins: true})
	}
}

// isReference reports whether an expression is a column, of a row or of the proposed row.
func isReference(e Expr) bool {
	switch e := e.(type) {
	case *ColumnRef:
		return !e.Star
	case *ValuesRef:
		return true
	}
	return false
}

// literalText is the text of a literal string, with or without a cast.
func literalText(e Expr) (string, bool) {
	switch e := e.(type) {
	case *Constant:
		return e.Value.Text, e.Value.Kind == LiteralString
	case *Cast:
		if e.Plain && e.Type == "text" || e.Typed && e.Type == "jsonb" || e.Plain && e.Type == "json" {
			return literalText(e.Expr)
		}
	}
	return "", false
}

// keyStep is the step that ->, ->> and - of Postgres take: a key, or the number of an
// element.
func keyStep(e Expr) jsondoc.Path {
	if c, ok := e.(*Constant); ok && c.Value.Kind == LiteralInteger {
		return jsondoc.Path{{Kind: jsondoc.Index}}
	}
	if key, ok := literalText(e); ok {
		return jsondoc.Path{{Kind: jsondoc.Member, Key: key}}
	}
	return nil
}

// subscript is the step of a subscript of Postgres: a number is the key of an object too.
func subscript(e Expr) jsondoc.Path {
	if c, ok := e.(*Constant); ok && c.Value.Kind == LiteralInteger {
		return jsondoc.Path{eitherStep(c.Value.Text)}
	}
	if key, ok := literalText(e); ok {
		return jsondoc.Path{eitherStep(key)}
	}
	return nil
}

// keyPath are the steps that literals name: each is a key, or the number of an element.
func keyPath(list []Expr) jsondoc.Path {
	path := jsondoc.Path{}
	for _, e := range list {
		key, ok := literalText(e)
		if !ok {
			return nil
		}
		path = append(path, eitherStep(key))
	}
	return path
}

// arrayPath is a path in the form of an array of text: '{a,b}', or ARRAY['a', 'b'].
func arrayPath(e Expr) jsondoc.Path {
	if op, ok := e.(*Op); ok && op.What == OpArray {
		return keyPath(op.Operands)
	}
	for c, ok := e.(*Cast); ok; c, ok = e.(*Cast) {
		if !c.Array || c.Type != "text" {
			return nil
		}
		e = c.Expr
	}
	text, ok := literalText(e)
	if !ok {
		return nil
	}
	return arrayText(text)
}

// arrayText reads the text of an array whose elements have no escapes and no braces.
func arrayText(text string) jsondoc.Path {
	text = strings.Trim(text, spaces)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' || strings.ContainsAny(text[1:len(text)-1], `{}\`) {
		return nil
	}
	path := jsondoc.Path{}
	rest := strings.Trim(text[1:len(text)-1], spaces)
	for more := rest != ""; more; {
		var key string
		if quoted, isQuoted := strings.CutPrefix(strings.TrimLeft(rest, spaces), `"`); isQuoted {
			var closed bool
			if key, rest, closed = strings.Cut(quoted, `"`); !closed {
				return nil
			}
			after := strings.Trim(rest, spaces)
			if rest, more = strings.CutPrefix(after, ","); !more && after != "" {
				return nil
			}
		} else {
			key, rest, more = strings.Cut(rest, ",")
			if key = strings.Trim(key, spaces); key == "" || strings.EqualFold(key, "null") || strings.Contains(key, `"`) {
				return nil
			}
		}
		path = append(path, eitherStep(key))
	}
	return path
}

// spaces are those that arrays may have around their elements.
const spaces = " \t\n\r\v\f"

// eitherStep is the step of a text that is a key of an object, and the number of an
// element in an array if it is a number.
func eitherStep(key string) jsondoc.Step {
	digits := strings.TrimLeft(strings.Trim(key, spaces), "+-")
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		return jsondoc.Step{Kind: jsondoc.Either, Key: key}
	}
	return jsondoc.Step{Kind: jsondoc.Member, Key: key}
}

// dollarPath is a path of MySQL and MariaDB in a literal: $.a."b c"[0]. Wildcards, ranges
// and escapes outside quotes are not read.
func dollarPath(e Expr) jsondoc.Path {
	text, ok := literalText(e)
	rest, dollar := strings.CutPrefix(text, "$")
	if !ok || !dollar {
		return nil
	}
	path := jsondoc.Path{}
	for rest != "" {
		var step jsondoc.Step
		if step, rest, ok = dollarStep(rest); !ok {
			return nil
		}
		path = append(path, step)
	}
	return path
}

func dollarStep(rest string) (step jsondoc.Step, after string, ok bool) {
	switch {
	case strings.HasPrefix(rest, `."`):
		end := strings.IndexByte(rest[2:], '"')
		if end < 0 || strings.ContainsRune(rest[2:2+end], '\\') {
			return step, "", false
		}
		return jsondoc.Step{Kind: jsondoc.Member, Key: rest[2 : 2+end]}, rest[3+end:], true
	case strings.HasPrefix(rest, "."):
		n := strings.IndexFunc(rest[1:], func(r rune) bool {
			return r < 0x80 && r != '_' && r != '$' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		})
		if n < 0 {
			n = len(rest) - 1
		}
		return jsondoc.Step{Kind: jsondoc.Member, Key: rest[1 : 1+n]}, rest[1+n:], n > 0
	case strings.HasPrefix(rest, "["):
		number, after, closed := strings.Cut(rest[1:], "]")
		digits := strings.Trim(number, "0123456789") == "" && number != ""
		return jsondoc.Step{Kind: jsondoc.Index}, after, closed && (digits || number == "last")
	}
	return step, "", false
}
