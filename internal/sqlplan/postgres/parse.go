package postgres

import (
	"errors"
	"sort"
	"strconv"

	"github.com/sqlc-dev/oliphant"
	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// errSyntax is returned for a text that cannot be read for certain. The
// parser's own message quotes the text and is dropped.
var errSyntax = errors.New("the text is not SQL that this version can read")

// misread is the panic by which a translation gives up: the tree and the
// tokens do not agree.
type misread struct{}

// translator translates one text.
type translator struct {
	src    string
	tokens []token
	begin  int // the statement's first token
	end    int // just after its last token
	// read holds the nodes of the tree that were translated: see unread.
	read map[any]bool
	// inGroup is true for the statements within another.
	inGroup bool
}

// parse reads a text into the planner's statements.
func parse(src string, maxDepth int) (script *sqlplan.Script, err error) {
	defer func() {
		if r := recover(); r != nil {
			script, err = nil, errSyntax // the parser panics on some inputs
		}
	}()
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	if deep(tokens, maxDepth) {
		return nil, sqlplan.ErrTooDeep
	}
	tree, err := oliphant.Parse(plainStrings(src, tokens))
	if err != nil {
		return nil, errSyntax
	}
	script = &sqlplan.Script{Text: src}
	if err := params(script, tokens); err != nil {
		return nil, err
	}
	apart := &sqlplan.Apart{OneTransaction: true}
	for i, raw := range tree.Stmts {
		p := &translator{src: src, tokens: tokens}
		from, to := int(raw.StmtLocation), len(src)
		if raw.StmtLen > 0 {
			to = from + int(raw.StmtLen)
		}
		p.begin = p.tokenFrom(from)
		p.end = p.tokenFrom(to)
		p.read = make(map[any]bool, (p.end-p.begin)/4)
		s := p.statement(raw.Stmt)
		script.Statements = append(script.Statements, s)
		p.unread(script, raw.Stmt, s)
		apart = tellApart(apart, raw.Stmt, src[from:to], i, len(tree.Stmts))
	}
	if len(tree.Stmts) > 1 && script.NumParams == 0 {
		script.Apart = apart
	}
	return script, nil
}

// plainStrings blanks the N of N'…', which the parser does not read.
func plainStrings(src string, tokens []token) string {
	var b []byte
	for _, t := range tokens {
		if !t.national(src) {
			continue
		}
		if b == nil {
			b = []byte(src)
		}
		b[t.start] = ' '
	}
	if b == nil {
		return src
	}
	return string(b)
}

// national reports whether the token is N'…', a constant of type character.
func (t *token) national(src string) bool {
	return t.kind == kindString && (src[t.start] == 'N' || src[t.start] == 'n')
}

// deep bounds brackets, and runs of tokens that the parser recurses on.
func deep(tokens []token, most int) bool {
	depth, run := 0, 0
	for _, t := range tokens {
		switch {
		case t.kind == kindOp && t.mate >= 0 && (t.text == "(" || t.text == "["):
			depth++
		case t.kind == kindOp && t.mate >= 0:
			depth--
		case t.kind == kindWord && t.text == "case":
			depth++
		case t.kind == kindWord && t.text == "end":
			depth = max(0, depth-1)
		}
		if t.kind == kindWord && t.text == "not" || t.kind == kindOp && t.mate < 0 && t.text != "," {
			run++
		} else if t.kind != kindOp {
			run = 0
		}
		if depth > most || run > 2000 {
			return true
		}
	}
	return false
}

func params(s *sqlplan.Script, tokens []token) error {
	for _, t := range tokens {
		if t.kind != kindParam {
			continue
		}
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 || n > 65535 {
			return errSyntax
		}
		s.Params = append(s.Params, sqlplan.ParamSite{Index: n - 1, Span: sqlplan.Span{Start: t.start, End: t.end}})
		s.NumParams = max(s.NumParams, n)
	}
	return nil
}

func (p *translator) fail() { panic(misread{}) }

// tokenFrom returns the first token that begins at the offset or later. The parser sees
// N'…' begin at its quote.
func (p *translator) tokenFrom(offset int) int {
	i := sort.Search(len(p.tokens), func(i int) bool { return p.tokens[i].start >= offset })
	if i > 0 && p.tokens[i-1].start == offset-1 && p.tokens[i-1].national(p.src) {
		return i - 1
	}
	return i
}

// tokenAt returns the token that begins at the location.
func (p *translator) tokenAt(location int32) int {
	i := p.tokenFrom(int(location))
	if location < 0 || i >= len(p.tokens) || p.tokens[i].start != int(location) && !p.tokens[i].national(p.src) {
		p.fail()
	}
	return i
}

func (p *translator) word(i int, words ...string) bool {
	if i < 0 || i >= len(p.tokens) || p.tokens[i].kind != kindWord {
		return false
	}
	for _, w := range words {
		if p.tokens[i].text == w {
			return true
		}
	}
	return false
}

func (p *translator) op(i int, text string) bool {
	return i >= 0 && i < len(p.tokens) && p.tokens[i].kind == kindOp && p.tokens[i].text == text
}

// span covers the tokens [i, j).
func (p *translator) span(i, j int) sqlplan.Span {
	if i >= j || i < 0 || j > len(p.tokens) {
		p.fail()
	}
	return sqlplan.Span{Start: p.tokens[i].start, End: p.tokens[j-1].end}
}

func near(location int32) sqlplan.Span {
	return sqlplan.Span{Start: max(0, int(location)), End: max(0, int(location))}
}

// seek returns the first token from i on, at the same depth of brackets, that is
// one of the words used as a keyword; a comma too if comma is set. It stops at
// the bracket or semicolon that ends the statement.
func (p *translator) seek(i int, comma bool, words ...string) int {
	for ; i < p.end; i++ {
		t := p.tokens[i]
		if t.kind == kindOp {
			switch {
			case t.text == "(" || t.text == "[":
				i = t.mate
			case t.text == ")" || t.text == "]" || t.text == ";", t.text == "," && comma:
				return i
			}
			continue
		}
		if p.word(i, "case") && !p.op(i-1, ".") && !p.word(i-1, "as") {
			i = p.caseEnd(i)
			continue
		}
		if p.word(i, words...) && !p.op(i-1, ".") && !p.word(i-1, "as") &&
			!(t.text == "from" && p.word(i-1, "distinct")) && !(t.text == "group" && p.word(i-1, "within")) {
			return i
		}
	}
	return p.end
}

// caseEnd returns the END of the CASE at token i; its WHENs are no clauses.
func (p *translator) caseEnd(i int) int {
	for i++; i < p.end; i++ {
		switch {
		case p.op(i, "(") || p.op(i, "["):
			i = p.tokens[i].mate
		case p.op(i-1, ".") || p.word(i-1, "as"):
		case p.word(i, "case"):
			i = p.caseEnd(i)
		case p.word(i, "end"):
			return i
		}
	}
	p.fail()
	return 0
}

var targetEnds = []string{"from", "where", "group", "having", "window", "union", "intersect", "except", "order", "limit",
	"offset", "fetch", "for", "into", "returning", "on", "when"}

// targetsEnd is the offset after the last entry of a select list.
func (p *translator) targetsEnd(list []*pg.Node) int {
	if len(list) == 0 {
		return -1
	}
	last := list[len(list)-1].GetResTarget()
	if last == nil || last.Location < 0 {
		return -1
	}
	i := p.tokenFrom(int(last.Location))
	// A parenthesis around the expression may come before the location.
	j := p.seek(i, false, targetEnds...)
	if j <= i {
		p.fail()
	}
	return p.tokens[j-1].end
}

// statement translates one statement.
func (p *translator) statement(n *pg.Node) sqlplan.Statement {
	p.read[inner(n)] = true
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		return p.query(x.SelectStmt)
	case *pg.Node_InsertStmt:
		return p.insert(x.InsertStmt)
	case *pg.Node_UpdateStmt:
		return p.update(x.UpdateStmt)
	case *pg.Node_DeleteStmt:
		return p.delete(x.DeleteStmt)
	case *pg.Node_MergeStmt:
		return p.merge(x.MergeStmt)
	}
	return p.utility(n)
}

func str(n *pg.Node) string { return n.GetString_().GetSval() }

func names(list []*pg.Node) []string {
	var out []string
	for _, n := range list {
		out = append(out, str(n))
	}
	return out
}
