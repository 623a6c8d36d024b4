package sqlplan

import (
	"slices"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// testsDocument reports whether an expression tests a document in a way whose outcome no
// protected value has a part in: @> and JSON_CONTAINS of a literal without protected values,
// or at a path that is apart; whether keys and paths exist that are no terms'.
func (a *analysis) testsDocument(e Expr, s *scope) bool {
	if !a.p.documents {
		return false
	}
	switch e := e.(type) {
	case *Op:
		return len(e.Operands) == 2 && a.testsByOperator(e, s)
	case *Call:
		return len(e.Args) > 1 && a.own(e, "json_contains", "json_contains_path") && a.testsByCall(e, s)
	}
	return false
}

func (a *analysis) testsByOperator(e *Op, s *scope) bool {
	of, with := e.Operands[0], e.Operands[1]
	if e.What == "<@" {
		of, with = with, of
	}
	v, ok := a.document(of, s)
	if !ok {
		return false
	}
	var keys jsondoc.Path
	switch e.What {
	case "@>", "<@":
		text, ok := literalText(with)
		return ok && v.column.harmless(text)
	case "?":
		key, ok := literalText(with)
		if !ok {
			return false
		}
		keys = jsondoc.Path{{Kind: jsondoc.Member, Key: key}}
	case "?|", "?&":
		keys = arrayPath(with)
	}
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(key jsondoc.Step) bool {
		return slices.ContainsFunc(v.column.Terms, func(term jsondoc.Path) bool { return term[0].Key == key.Key && len(term) == 1 })
	})
}

func (a *analysis) testsByCall(c *Call, s *scope) bool {
	v, ok := a.document(c.Args[0], s)
	switch {
	case !ok:
		return false
	case a.own(c, "json_contains_path"):
		if _, ok := literalText(c.Args[1]); !ok || len(c.Args) < 3 {
			return false
		}
		return !slices.ContainsFunc(c.Args[2:], func(x Expr) bool {
			path := docPart{path: dollarPath(x)}
			return !v.column.apart(path) && v.column.at(path) == nil
		})
	case len(c.Args) == 2:
		text, ok := literalText(c.Args[1])
		return ok && v.column.harmless(text)
	case len(c.Args) == 3 && v.column.apart(docPart{path: dollarPath(c.Args[2])}):
		a.checkUse(c.Args[1], s, use{"a protected value in a test of a document", hintCompute})
		return true
	}
	return false
}
