package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sqlc-dev/marino/ast"
	marinomysql "github.com/sqlc-dev/marino/mysql"
	"github.com/sqlc-dev/marino/parser"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// errSyntax is returned for a text that the parser cannot read. The parser's
// own message quotes the text and is dropped.
var errSyntax = errors.New("the text is not SQL that this version can read")

// parsers keeps parsers between texts; one is not safe for concurrent use. A parser keeps
// the memory of its largest text: it is dropped after one of more than parserKept bytes.
var parsers = sync.Pool{New: func() any {
	p := parser.New()
	p.SetMariaDB(true)
	return p
}}

const parserKept = 1 << 15

// misread is the panic by which a translation gives up.
type misread struct{ what string }

// fail gives up the translation: the tree and the tokens do not agree, or
// the tree holds what this package does not know where it must.
func fail(format string, args ...any) {
	panic(misread{fmt.Sprintf(format, args...)})
}

// parse reads a text into the planner's statements.
func parse(src string, m modes, maxDepth int) (script *sqlplan.Script, err error) {
	defer func() {
		// The parser panics on some inputs; so does the translation below
		// when it loses its way. Either way the text was not understood.
		if r := recover(); r != nil {
			script, err = nil, errSyntax
		}
	}()
	t, err := read(src, m, maxDepth)
	if err != nil {
		return nil, err
	}
	if err := t.neutralise(); err != nil {
		return nil, err
	}
	s, err := newShadow(t)
	if err != nil {
		return nil, err
	}
	p := &translator{text: t, shadow: s, read: map[any]bool{}}
	return p.script()
}

// runParser gives a shadow to the parser.
func runParser(text string, m modes) ([]ast.StmtNode, error) {
	p := parsers.Get().(*parser.Parser)
	var mode marinomysql.SQLMode
	if m.pipesAsConcat {
		mode |= marinomysql.ModePipesAsConcat
	}
	if m.highNotPrecedence {
		mode |= marinomysql.ModeHighNotPrecedence
	}
	p.SetSQLMode(mode)
	stmts, _, err := p.ParseSQL(text)
	if err != nil {
		return nil, errSyntax
	}
	if len(text) <= parserKept {
		parsers.Put(p) // not after a panic
	}
	return stmts, nil
}

// translator translates one text.
type translator struct {
	*text
	shadow *shadow
	out    []sqlplan.Statement
	// unit is the statement being translated.
	unit unit
	// read holds the nodes of the tree that were translated: see unread.
	read         map[any]bool
	unreadExprs  []sqlplan.Expr
	unreadTables []*sqlplan.TableRef
	// values are the tokens VALUES of lists of rows that the parser is given as SELECT.
	values map[int]bool
	// rollups are the tokens of the lists of GROUP BY ROLLUP(…) that are not read yet.
	rollups [][2]int
}

// unit is one statement of a text.
type unit struct {
	start, end int // tokens, without SET STATEMENT … FOR and the like
	// returning is the token RETURNING, or 0; returningText is the shadow of
	// a SELECT of what it lists.
	returning     int
	returningText string
	// executes is true for ANALYZE statement.
	executes bool
	// done is what was made of the statement without the parser's help.
	done []sqlplan.Statement
	// store is set if the parser is given only the query that the statement
	// keeps; before is what else is in the statement.
	store  *sqlplan.Utility
	before []sqlplan.Statement
}

// script translates the text.
func (p *translator) script() (*sqlplan.Script, error) {
	units := p.units()
	parsed := 0
	for i := range units {
		if units[i].done != nil {
			p.shadow.blank(p.tokens[units[i].start].start, p.endOf(units[i].end))
			continue
		}
		p.adapt(&units[i])
		parsed++
	}
	var stmts []ast.StmtNode
	if parsed > 0 {
		var err error
		if stmts, err = runParser(p.shadow.String(), p.modes); err != nil {
			return nil, err
		}
	}
	if len(stmts) != parsed {
		return nil, errSyntax
	}
	for i := range units {
		p.unit = units[i]
		if units[i].done != nil {
			p.out = append(p.out, units[i].done...)
			continue
		}
		p.out = append(p.out, units[i].before...)
		s := p.statement(stmts[0], p.unit.start, p.unit.end)
		p.out = append(p.out, s)
		if u, ok := s.(*sqlplan.Utility); !ok || u.Kind != sqlplan.UtilityHarmless && u.Kind != sqlplan.UtilityUnknown {
			p.unread(stmts[0])
		}
		stmts = stmts[1:]
	}
	if len(p.rollups) > 0 {
		fail("a list of ROLLUP is not where the parser saw it")
	}
	return &sqlplan.Script{Text: p.src, Statements: p.out, Params: p.paramSites(), NumParams: len(p.params),
		Unread: p.unreadExprs, UnreadTables: p.unreadTables, Apart: p.apart()}, nil
}

// apart returns the texts of the statements. The server carries out each by itself in any
// case. It returns nil for a text with executable comments, whose marks would be lost.
func (p *translator) apart() *sqlplan.Apart {
	segments := p.segments()
	if len(segments) < 2 || len(p.params) > 0 || strings.Contains(p.src, "/*!") || strings.Contains(p.src, "/*M!") {
		return nil
	}
	a := &sqlplan.Apart{Ask: "DO 0; DO 0"}
	for _, s := range segments {
		if p.compound(s[0]) {
			return nil // semicolons belong to its body
		}
		a.Texts = append(a.Texts, p.src[p.tokens[s[0]].start:p.endOf(s[1])])
	}
	return a
}

func (p *translator) paramSites() []sqlplan.ParamSite {
	if len(p.params) == 0 {
		return nil
	}
	sites := make([]sqlplan.ParamSite, len(p.params))
	for n, i := range p.params {
		sites[n] = sqlplan.ParamSite{Index: n, Span: p.span(i, i+1)}
	}
	return sites
}

// adapt writes over the shadow where the servers know more than the parser,
// in ways that do not change what the rules see.
func (p *translator) adapt(u *unit) {
	u.start = p.skipPrefix(u)
	p.adaptWords(u)
	if p.word(u.start, "CREATE") && p.word(u.start+1, "OR") && p.word(u.start+2, "REPLACE") {
		p.shadow.blank(p.tokens[u.start+1].start, p.tokens[u.start+2].end)
	}
	if p.anyWord(u.start, "INSERT", "REPLACE", "DELETE", "EXPLAIN", "ANALYZE", "DESC", "DESCRIBE") != "" {
		u.returning = p.seekWord(u.start, u.end, "RETURNING")
		if u.returning == u.end {
			u.returning = 0
		} else {
			u.returningText = p.shadow.selectOnly(u.returning, u.end)
			p.shadow.blank(p.tokens[u.returning].start, p.endOf(u.end))
		}
	}
}

// skipPrefix takes SET STATEMENT … FOR and MariaDB's spellings of EXPLAIN out
// of the parser's sight.
func (p *translator) skipPrefix(u *unit) int {
	i := u.start
	if p.word(i, "SET") && p.word(i+1, "STATEMENT") {
		end := p.seekWord(i, u.end, "FOR")
		if end == u.end {
			fail("SET STATEMENT without FOR")
		}
		p.shadow.blank(p.tokens[i].start, p.tokens[end].end)
		i = end + 1
	}
	switch {
	case p.word(i, "ANALYZE"):
		u.executes = true
		p.shadow.put(i, "EXPLAIN")
	case p.anyWord(i, "EXPLAIN", "DESC", "DESCRIBE") != "" && p.anyWord(i+1, "EXTENDED", "PARTITIONS") != "" &&
		p.anyWord(i+2, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH") != "":
		p.shadow.blank(p.tokens[i+1].start, p.tokens[i+1].end)
	}
	return i
}

// adaptWords is adapt for single words.
func (p *translator) adaptWords(u *unit) {
	for i := u.start; i < u.end; i++ {
		if p.tokens[i].kind != kindWord {
			continue
		}
		switch {
		case p.word(i, "COLLATE"):
			p.adaptCollation(i + 1)
		case p.word(i, "VALUE") && p.op(i+1, "(") && p.tokens[i-1].kind == kindOp && !p.op(i-1, ")"):
			p.shadow.put(i, "xvalu") // MariaDB's other spelling of VALUES(column)
		case p.word(i, "ROWS") && p.word(i+1, "EXAMINED"):
			from := i
			if p.word(i-1, "LIMIT") {
				from = i - 1
			}
			p.shadow.blank(p.tokens[from].start, p.tokens[i+2].end)
		case p.word(i, "OFFSET") && p.anyWord(i+2, "ROW", "ROWS") != "" && p.word(i+3, "FETCH"):
			p.shadow.blank(p.tokens[i].start, p.tokens[i+2].end)
		case p.word(i, "WITH") && p.word(i+1, "TIES"):
			p.shadow.put(i, "ONLY")
			p.shadow.blank(p.tokens[i+1].start, p.tokens[i+1].end)
		case p.word(i, "MODE") && p.word(i-1, "SHARE"):
			p.adaptLockWait(i + 1)
		default:
			p.adaptClause(u, i)
		}
	}
}

// adaptClause is adapt for clauses that one server has.
func (p *translator) adaptClause(u *unit, i int) {
	switch {
	case p.word(i, "VALUES") && p.listsRows(u, i):
		p.adaptRowList(i)
	case p.word(i, "FOR") && p.word(i+1, "SYSTEM_TIME"):
		p.adaptSystemTime(i)
	case p.word(i, "DELETE") && p.word(i+1, "HISTORY") && p.word(i+2, "FROM"):
		p.adaptDeleteHistory(i+1, u.end)
	case p.word(i, "ROLLUP") && p.op(i+1, "(") && p.word(i-1, "BY"):
		p.adaptRollup(i)
	case p.word(i, "EXCLUDE") && p.word(i+1, "NO") && p.word(i+2, "OTHERS") && p.op(i+3, ")"): // of a window's frame
		p.shadow.blank(p.tokens[i].start, p.tokens[i+2].end)
	}
}

// adaptRollup hides the parentheses of GROUP BY ROLLUP(…), MySQL's other spelling of WITH
// ROLLUP.
func (p *translator) adaptRollup(i int) {
	end := p.tokens[i+1].mate
	if p.op(end+1, ",") || !p.word(i-2, "GROUP") {
		return
	}
	p.shadow.blank(p.tokens[i].start, p.tokens[i+1].end)
	p.shadow.blank(p.tokens[end].start, p.tokens[end].end)
	p.rollups = append(p.rollups, [2]int{i + 2, end})
}

// rolledUp reports whether a list of GROUP BY is that of a ROLLUP(…).
func (p *translator) rolledUp(items []*ast.ByItem) bool {
	for k, list := range p.rollups {
		for _, item := range items {
			if i := p.tokenAt(item.Expr.OriginTextPosition()); list[0] <= i && i < list[1] {
				p.rollups = slices.Delete(p.rollups, k, k+1)
				return true
			}
		}
	}
	return false
}

// adaptCollation replaces a collation's name, which the parser looks up in a
// list of its own.
func (p *translator) adaptCollation(i int) {
	if p.op(i, "=") {
		i++
	}
	if p.tokens[i].kind == kindWord {
		p.shadow.put(i, "binary")
	}
}

// adaptLockWait hides NOWAIT, WAIT n and SKIP LOCKED after LOCK IN SHARE MODE.
func (p *translator) adaptLockWait(i int) {
	switch {
	case p.word(i, "NOWAIT"):
		p.shadow.blank(p.tokens[i].start, p.tokens[i].end)
	case p.word(i, "WAIT") && p.tokens[i+1].kind == kindNumber, p.word(i, "SKIP") && p.word(i+1, "LOCKED"):
		p.shadow.blank(p.tokens[i].start, p.tokens[i+1].end)
	}
}
