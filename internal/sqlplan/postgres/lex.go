package postgres

import (
	"errors"
	"strings"
)

// tokenKind is the kind of a token.
type tokenKind uint8

const (
	kindWord   tokenKind = iota + 1 // an unquoted identifier or keyword; text is in lower case
	kindQuoted                      // "identifier"; text is unquoted
	kindString                      // any string constant
	kindNumber
	kindParam // $1
	kindOp    // one character, or ::
)

// token is a run of bytes [start, end) of the source.
type token struct {
	kind       tokenKind
	start, end int
	text       string
	mate       int // of a bracket: the token that it pairs with
}

var errLex = errors.New("the text cannot be split into tokens")

// lex splits a text as the server does with standard_conforming_strings on.
func lex(src string) ([]token, error) {
	l := &lexer{src: src, out: make([]token, 0, len(src)/4+8)}
	for {
		if err := l.space(); err != nil {
			return nil, err
		}
		if l.offset >= len(src) {
			break
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return l.out, pair(l.out)
}

type lexer struct {
	src    string
	offset int
	out    []token
}

// space skips white space and comments, which nest.
func (l *lexer) space() error {
	for l.offset < len(l.src) {
		rest := l.src[l.offset:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			l.offset++
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			l.offset += n
		case strings.HasPrefix(rest, "/*"):
			if err := l.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) comment() error {
	depth := 0
	for l.offset < len(l.src) {
		switch {
		case strings.HasPrefix(l.src[l.offset:], "/*"):
			depth++
			l.offset += 2
		case strings.HasPrefix(l.src[l.offset:], "*/"):
			depth--
			l.offset += 2
			if depth == 0 {
				return nil
			}
		default:
			l.offset++
		}
	}
	return errLex
}

// next reads one token. A lexer has a branch for each way a token begins.
//
//gocyclo:ignore
func (l *lexer) next() error {
	c, start := l.src[l.offset], l.offset
	switch {
	case c == '\'':
		return l.str(start, false)
	case c == '"':
		return l.quoted(start)
	case (c == 'E' || c == 'e') && l.peek(1) == '\'':
		l.offset++
		return l.str(start, true)
	case strings.IndexByte("bBxXnN", c) >= 0 && l.peek(1) == '\'':
		l.offset++
		return l.str(start, false)
	case (c == 'U' || c == 'u') && l.peek(1) == '&' && (l.peek(2) == '\'' || l.peek(2) == '"'):
		l.offset += 2
		if l.src[l.offset] == '"' {
			return l.quoted(start)
		}
		return l.str(start, false)
	case c == '$':
		return l.dollar()
	case c >= '0' && c <= '9' || c == '.' && l.peek(1) >= '0' && l.peek(1) <= '9':
		return l.number()
	case wordStart(c):
		for l.offset < len(l.src) && (wordStart(l.src[l.offset]) || l.src[l.offset] >= '0' && l.src[l.offset] <= '9' || l.src[l.offset] == '$') {
			l.offset++
		}
		l.add(kindWord, start, lower(l.src[start:l.offset]))
		return nil
	case c == ':' && l.peek(1) == ':':
		l.offset += 2
		l.add(kindOp, start, "::")
		return nil
	case c < ' ' || c == 0x7f:
		return errLex
	}
	l.offset++
	l.add(kindOp, start, l.src[start:l.offset])
	return nil
}

func (l *lexer) peek(n int) byte {
	if l.offset+n < len(l.src) {
		return l.src[l.offset+n]
	}
	return 0
}

func (l *lexer) add(kind tokenKind, start int, text string) {
	if n := len(l.out); kind == kindString && n > 0 && l.out[n-1].kind == kindString {
		l.out[n-1].end = l.offset // 'a' and 'b' on two lines are one constant
		return
	}
	l.out = append(l.out, token{kind: kind, start: start, end: l.offset, text: text, mate: -1})
}

func wordStart(c byte) bool {
	return c == '_' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// lower folds ASCII letters, as the server does.
func lower(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
		return s
	}
	var word [16]byte
	if len(s) > len(word) {
		var b strings.Builder
		b.Grow(len(s))
		for i := range len(s) {
			b.WriteByte(lowerByte(s[i]))
		}
		return b.String()
	}
	for i := range len(s) {
		word[i] = lowerByte(s[i])
	}
	if folded, ok := common[string(word[:len(s)])]; ok {
		return folded
	}
	return string(word[:len(s)])
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// common keeps the words that most texts hold, so that folding them takes no memory.
var common = func() map[string]string {
	words := map[string]string{}
	for w := range strings.FieldsSeq("select from where and or not null is in as on join left inner order by group limit offset " +
		"insert into values update set delete returning conflict do nothing distinct union all exists between like case when then else end " +
		"begin commit rollback asc desc having with for count coalesce excluded true false default cast any") {
		words[w] = w
	}
	return words
}()

// str reads a string from its quote on.
func (l *lexer) str(start int, backslash bool) error {
	for l.offset++; l.offset < len(l.src); l.offset++ {
		switch c := l.src[l.offset]; {
		case c == '\\' && backslash:
			l.offset++
		case c == '\'' && l.peek(1) == '\'':
			l.offset++
		case c == '\'':
			l.offset++
			l.add(kindString, start, "")
			return nil
		}
	}
	return errLex
}

func (l *lexer) quoted(start int) error {
	begin := l.offset + 1
	for l.offset++; l.offset < len(l.src); l.offset++ {
		if l.src[l.offset] != '"' {
			continue
		}
		if l.peek(1) == '"' {
			l.offset++
			continue
		}
		l.offset++
		l.add(kindQuoted, start, strings.ReplaceAll(l.src[begin:l.offset-1], `""`, `"`))
		return nil
	}
	return errLex
}

// dollar reads $1 or a dollar-quoted string.
func (l *lexer) dollar() error {
	start := l.offset
	l.offset++
	if c := l.peek(0); c >= '0' && c <= '9' {
		for c := l.peek(0); c >= '0' && c <= '9'; c = l.peek(0) {
			l.offset++
		}
		if wordStart(l.peek(0)) {
			return errLex
		}
		l.add(kindParam, start, l.src[start+1:l.offset])
		return nil
	}
	for wordStart(l.peek(0)) || l.peek(0) >= '0' && l.peek(0) <= '9' {
		l.offset++
	}
	if l.peek(0) != '$' {
		return errLex
	}
	l.offset++
	tag := l.src[start:l.offset]
	n := strings.Index(l.src[l.offset:], tag)
	if n < 0 {
		return errLex
	}
	l.offset += n + len(tag)
	l.add(kindString, start, "")
	return nil
}

func (l *lexer) number() error {
	start := l.offset
	for l.offset < len(l.src) {
		c := l.src[l.offset]
		sign := (c == '+' || c == '-') && (l.src[l.offset-min(1, l.offset)] == 'e' || l.src[l.offset-min(1, l.offset)] == 'E') && l.offset > start && !strings.HasPrefix(lower(l.src[start:l.offset]), "0x")
		if c == '.' && l.peek(1) == '.' {
			break
		}
		if !(c >= '0' && c <= '9' || c == '.' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || sign) {
			break
		}
		l.offset++
	}
	l.add(kindNumber, start, l.src[start:l.offset])
	return nil
}

// pair finds each bracket's mate.
func pair(tokens []token) error {
	var open []int
	for i := range tokens {
		if tokens[i].kind != kindOp {
			continue
		}
		switch c := tokens[i].text; c {
		case "(", "[":
			open = append(open, i)
		case ")", "]":
			if len(open) == 0 {
				return errLex
			}
			j := open[len(open)-1]
			if (tokens[j].text == "(") != (c == ")") {
				return errLex
			}
			open = open[:len(open)-1]
			tokens[i].mate, tokens[j].mate = j, i
		}
	}
	if len(open) > 0 {
		return errLex
	}
	return nil
}
