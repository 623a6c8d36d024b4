package sqlplan

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// This file answers whether a protected value is empty. The ciphertexts of an empty
// plaintext have a shape of their own, so the server can tell them from others without a
// key: a reference to the column becomes '' for them, another text for the others, and
// NULL for NULL. It does so only where nothing but that difference has an effect.

// EmptyShape is what the ciphertexts of an empty plaintext have in common in a format.
type EmptyShape struct {
	// Length is their length in bytes; 0 if they are of several.
	Length int
	// Head are their first bytes, if all begin alike.
	Head []byte
	// Tail are bytes that only they have, Before bytes before their end.
	Tail   []byte
	Before int
}

// notEmpty is what stands for every value that is not empty.
const notEmpty = "x"

// emptiness plans a comparison that tells empty values from others and nothing else. It
// reports false for every other expression.
func (a *analysis) emptiness(e *Op, s *scope) bool {
	if s == nil || a.view {
		return false
	}
	var refs []*ColumnRef
	if !comparesEmptiness(e, &refs) {
		return false
	}
	found := false
	for _, c := range refs {
		v := a.lookup(c, s)
		if v.protected() && (v.kind != valueStored || v.column.Empty == nil || !emptyTypes[v.column.Type]) {
			return false
		}
		found = found || v.protected()
	}
	if !found {
		return false
	}
	for _, c := range refs {
		if v := a.lookup(c, s); v.protected() {
			a.shapes++
			a.replace(c.Span, textPart(a.emptyText(v.column, a.text[c.Start:c.End])))
		} else {
			a.checkColumn(c, s, use{})
		}
	}
	return true
}

// emptyTypes are the types that have an empty value.
var emptyTypes = map[string]bool{"string": true, "bytes": true}

// comparesEmptiness reports whether the outcome depends on no more of the columns than
// whether they are empty, and lists them.
func comparesEmptiness(e *Op, refs *[]*ColumnRef) bool {
	switch e.What {
	case OpEqual, OpUnequal, OpSame, OpDistinct, OpIn, OpNotIn:
	case "<", ">", "<=", ">=", "lt", "gt", "le", "ge", "!=", "ne":
	default:
		return false
	}
	if len(e.Operands) != 2 {
		return false
	}
	for i, x := range e.Operands {
		with := e.Operands[1-i]
		if isEmptyText(with) && emptyOrNot(x, refs) {
			return true
		}
		if c, ok := x.(*Call); ok && functionHints[strings.ToLower(c.Name)] == hintLength && plainCall(c) && len(c.Args) == 1 {
			if comparesWithZero(e.What, with, i == 0) && emptyOrNot(c.Args[0], refs) {
				return true
			}
		}
	}
	return false
}

// plainCall reports whether a call has nothing but arguments.
func plainCall(c *Call) bool {
	return c.Schema == "" && len(c.Rest) == 0 && !c.Distinct && !c.Star && !c.Windowed
}

// emptyOrNot reports whether an expression is empty or not by that of the columns in it,
// which it lists: a column, or COALESCE of columns, NULL and the empty string.
func emptyOrNot(e Expr, refs *[]*ColumnRef) bool {
	switch e := e.(type) {
	case *ColumnRef:
		*refs = append(*refs, e)
		return !e.Star
	case *ValuesRef:
		*refs = append(*refs, &ColumnRef{Span: e.Span, Name: e.Column})
		return true
	case *Call:
		args := coalesced(e)
		for _, arg := range args {
			if !isNull(arg) && !isEmptyText(arg) && !emptyOrNot(arg, refs) {
				return false
			}
		}
		return len(args) > 0
	}
	return false
}

func isEmptyText(e Expr) bool {
	if x, ok := e.(*Cast); ok && x.Plain && (x.Type == "text" || x.Type == "varchar") {
		e = x.Expr
	}
	c, ok := e.(*Constant)
	return ok && c.Value.Kind == LiteralString && c.Value.Text == ""
}

// comparesWithZero reports whether a comparison of a length with a number tells whether
// the length is 0. left is true if the length stands on the left.
func comparesWithZero(what string, number Expr, left bool) bool {
	c, ok := number.(*Constant)
	if !ok || c.Value.Kind != LiteralInteger {
		return false
	}
	if !left { // 0 < length: length > 0
		if mirrored, ok := mirrors[what]; ok {
			what = mirrored
		}
	}
	switch what {
	case OpEqual, OpUnequal, OpSame, OpDistinct, ">", "<=", "gt", "le", "!=", "ne":
		return c.Value.Text == "0"
	case ">=", "<", "ge", "lt":
		return c.Value.Text == "1"
	}
	return false
}

var mirrors = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<=", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}

// emptyText is ” where the column that ref names holds an empty value, [notEmpty] where
// it holds another, and NULL where it holds none. A value of no bytes is no ciphertext: it
// is a default in clear.
func (a *analysis) emptyText(c *Column, ref string) string {
	length := "octet_length(" + ref + ")"
	if c.Base64 {
		length = "char_length(" + ref + ")"
	}
	tests := []string{length + " = 0"}
	for _, shape := range c.Empty {
		head := shape.Head
		if c.Base64 {
			head = []byte(base64.StdEncoding.EncodeToString(head)[:len(head)*8/6])
		}
		var all []string
		if n := shape.Length; n > 0 && c.Base64 { // texts of several lengths are padded to one
			all = append(all, fmt.Sprintf("char_length(trim(TRAILING '=' FROM %s)) = %d", ref, base64.RawStdEncoding.EncodedLen(n)))
		} else if n > 0 {
			all = append(all, length+" = "+strconv.Itoa(n))
		}
		if len(head) > 0 {
			all = append(all, fmt.Sprintf("substr(%s, 1, %d) = %s", ref, len(head), a.storedText(c, head)))
		}
		if shape.Tail != nil && !c.Base64 {
			all = append(all, fmt.Sprintf("substr(%s, %s - %d, %d) = %s", ref, length, shape.Before-1, len(shape.Tail), a.storedText(c, shape.Tail)))
		}
		if shape.Tail != nil && c.Base64 {
			all = append(all, "("+strings.Join(a.tailsInBase64(c, shape, ref), " OR ")+")")
		}
		tests = append(tests, strings.Join(all, " AND "))
	}
	return "(CASE WHEN " + strings.Join(tests, " OR ") + " THEN '' WHEN " + ref + " IS NOT NULL THEN '" + notEmpty + "' END)"
}

// storedText writes bytes as the column stores them.
func (a *analysis) storedText(c *Column, b []byte) string {
	if c.Base64 {
		return "'" + string(b) + "'"
	}
	return a.d.Bytes(b)
}

// tailsInBase64 tests for the Tail in base64 text: there are three, by what the value's
// length leaves when it is divided by 3.
func (a *analysis) tailsInBase64(c *Column, shape EmptyShape, ref string) []string {
	var list []string
	for rest := range 3 {
		sample := make([]byte, 3*((shape.Before+2)/3)+rest)
		at := len(sample) - shape.Before
		copy(sample[at:], shape.Tail)
		text := base64.StdEncoding.EncodeToString(sample)
		from, to := (8*at+5)/6, 8*(at+len(shape.Tail))/6
		test := fmt.Sprintf("substr(%[1]s, char_length(%[1]s) - %[2]d, %[3]d) = %[4]s", ref, len(text)-from-1, to-from, a.storedText(c, []byte(text[from:to])))
		if pad := len(text) - len(strings.TrimRight(text, "=")); pad > 0 {
			test += fmt.Sprintf(" AND substr(%[1]s, char_length(%[1]s) - %[2]d, %[3]d) = '%[4]s'", ref, pad-1, pad, strings.Repeat("=", pad))
		}
		list = append(list, test)
	}
	return list
}
