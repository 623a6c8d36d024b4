package mysql

import (
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Limits on what is handed to the parser, whose recursion and speculation
// follow the text's shape. A text beyond them is not read.
const (
	maxChain  = 20_000 // operators in one expression
	maxRetry  = 12     // nested constructs that the parser tries twice
	minNested = 64     // the least nesting that rules can ask for
)

// text is a SQL text with its tokens.
type text struct {
	src      string
	modes    modes
	tokens   []token
	comments []comment
	params   []int // indexes of the placeholders' tokens
}

// read splits a text into tokens, pairs its parentheses and checks that the
// parser can be given it.
func read(src string, m modes, maxDepth int) (*text, error) {
	l, err := lex(src, m, make([]token, 0, len(src)/4+8))
	if err != nil {
		return nil, err
	}
	t := &text{src: src, modes: m, tokens: l.tokens, comments: l.comments}
	if l.params > 0 {
		t.params = make([]int, 0, l.params)
	}
	if err := t.shape(max(maxDepth, minNested)); err != nil {
		return nil, err
	}
	return t, nil
}

// level is one open parenthesis, or the text as a whole.
type level struct{ open, chain, retry, cases int }

// shape pairs parentheses, collects placeholders and bounds nesting.
func (t *text) shape(maxDepth int) error {
	levels := make([]level, 1, 16)
	chain, retry, cases := 0, 0, 0
	for i := range t.tokens {
		tok := &t.tokens[i]
		top := &levels[len(levels)-1]
		switch tok.kind {
		case kindParam:
			t.params = append(t.params, i)
		case kindWord:
			c, r, k := weight(tok.text)
			if k < 0 && top.cases == 0 {
				k = 0 // END of something other than CASE
			}
			top.chain, top.retry, top.cases = top.chain+c, top.retry+r, top.cases+k
			chain, retry, cases = chain+c, retry+r, cases+k
		case kindOp:
			switch tok.text {
			case "(":
				levels = append(levels, level{open: i})
			case ")":
				if len(levels) == 1 {
					return errUnreadable
				}
				tok.mate, t.tokens[top.open].mate = top.open, i
				levels = levels[:len(levels)-1]
				chain, retry, cases = chain-top.chain, retry-top.retry, cases-top.cases
			case ",", ";":
				chain, retry, cases = chain-top.chain, retry-top.retry, cases-top.cases
				top.chain, top.retry, top.cases = 0, 0, 0
			case ".":
			default:
				top.chain++
				chain++
			}
		}
		if len(levels)+cases > maxDepth || chain > maxChain || retry > maxRetry {
			return errUnreadable
		}
	}
	if len(levels) != 1 {
		return errUnreadable
	}
	return nil
}

// weight says how a word may deepen the tree, make the parser try twice, and
// nest without parentheses.
func weight(word string) (chain, retry, cases int) {
	switch len(word) {
	case 2, 3, 4, 5, 6, 7, 8, 9, 10, 13:
	default:
		return 0, 0, 0
	}
	switch {
	case strings.EqualFold(word, "INTERVAL"), strings.EqualFold(word, "JSON_VALUE"):
		return 1, 1, 0
	case strings.EqualFold(word, "CASE"):
		return 1, 0, 1
	case strings.EqualFold(word, "END"):
		return 0, 0, -1
	}
	if slices.ContainsFunc(chainWords[:], func(w string) bool { return strings.EqualFold(w, word) }) {
		return 1, 0, 0
	}
	return 0, 0, 0
}

var chainWords = [...]string{
	"NOT", "AND", "OR", "XOR", "IS", "IN", "LIKE", "BETWEEN", "DIV", "MOD", "REGEXP", "RLIKE",
	"BINARY", "COLLATE", "JOIN", "STRAIGHT_JOIN", "UNION", "EXCEPT", "INTERSECT", "MINUS",
	"SOUNDS", "MEMBER", "EXPLAIN", "DESCRIBE", "DESC", "ANALYZE", "TRACE", "WITH", "IF", "BEGIN",
}

// tokenAt returns the index of the token that starts tokenAt the offset, or -1.
func (t *text) tokenAt(offset int) int {
	i, ok := slices.BinarySearchFunc(t.tokens, offset, func(tok token, at int) int { return tok.start - at })
	if !ok {
		return -1
	}
	return i
}

// from returns the index of the first token that begins at the offset or after it.
func (t *text) from(offset int) int {
	i, _ := slices.BinarySearchFunc(t.tokens, offset, func(tok token, at int) int { return tok.start - at })
	return i
}

// word reports whether token i is the keyword; a word beside a dot is a name.
func (t *text) word(i int, keyword string) bool {
	if i < 0 || i >= len(t.tokens) || t.tokens[i].kind != kindWord || !strings.EqualFold(t.tokens[i].text, keyword) {
		return false
	}
	return !t.op(i-1, ".") && !t.op(i+1, ".")
}

// anyWord returns which of the keywords token i is, or "".
func (t *text) anyWord(i int, keywords ...string) string {
	for _, k := range keywords {
		if t.word(i, k) {
			return k
		}
	}
	return ""
}

// labelled skips the label of a compound statement.
func (t *text) labelled(i int) int {
	if k := t.tokens[i].kind; (k == kindWord || k == kindQuoted) && t.op(i+1, ":") {
		return i + 2
	}
	return i
}

// op reports whether token i is the operator.
func (t *text) op(i int, operator string) bool {
	return i >= 0 && i < len(t.tokens) && t.tokens[i].kind == kindOp && t.tokens[i].text == operator
}

// seek returns the index of the first token from i on, outside parentheses
// and before end, for which stop is true; else end.
func (t *text) seek(i, end int, stop func(i int) bool) int {
	for i < end {
		if stop(i) {
			return i
		}
		if t.op(i, "(") {
			i = t.tokens[i].mate
		}
		i++
	}
	return end
}

// seekWord is seek for the first of the keywords.
func (t *text) seekWord(i, end int, keywords ...string) int {
	return t.seek(i, end, func(i int) bool { return t.anyWord(i, keywords...) != "" })
}

// endOf returns the offset after the token before token i.
func (t *text) endOf(i int) int {
	if i == 0 {
		return 0
	}
	return t.tokens[i-1].end
}

// span returns the span of the tokens [i, end).
func (t *text) span(i, end int) sqlplan.Span {
	if end <= i {
		return sqlplan.Span{Start: t.tokens[i].start, End: t.tokens[i].start}
	}
	return sqlplan.Span{Start: t.tokens[i].start, End: t.tokens[end-1].end}
}

// nameEnd returns the index after the name, with its qualifiers, at token i.
func (t *text) nameEnd(i int) int {
	i++
	for t.op(i, ".") {
		i += 2
	}
	return i
}

// segments returns the token ranges of the text's statements, as semicolons
// part them; empty ones are left out.
func (t *text) segments() [][2]int {
	var out [][2]int
	start := 0
	for i := range t.tokens {
		if t.tokens[i].kind == kindEnd || t.op(i, ";") {
			if i > start {
				out = append(out, [2]int{start, i})
			}
			start = i + 1
		}
	}
	return out
}

// paramIndex returns which placeholder of the text token i is.
func (t *text) paramIndex(i int) int {
	n, ok := slices.BinarySearch(t.params, i)
	if !ok {
		fail("a placeholder is not where the parser saw it")
	}
	return n
}
