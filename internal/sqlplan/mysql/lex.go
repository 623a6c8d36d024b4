package mysql

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// kind is the kind of a token as the server's lexer would see it.
type kind uint8

const (
	kindEnd    kind = iota
	kindWord        // an unquoted identifier or keyword
	kindQuoted      // `x`, and "x" under ANSI_QUOTES
	kindString      // 'x', and "x" without ANSI_QUOTES
	kindNumber      // 1, 1.5, 1e5
	kindHex         // x'4D' and 0x4D
	kindBit         // b'01' and 0b01
	kindParam       // ?
	kindVar         // @x, @'x', @@x.y: the whole of it
	kindOp          // everything else: one operator
)

// token is one token of a text. Comments and optimizer hints are no tokens.
type token struct {
	kind       kind
	start, end int
	// text is a word as it is spelled, a quoted identifier's name without
	// quotes, or an operator. A string's value is decoded on demand.
	text string
	// mate is the index of the token that closes or opens the parenthesis
	// that this token is.
	mate int
}

// modes are the parts of sql_mode that change how a text is read, or what it means.
type modes struct {
	ansiQuotes         bool
	noBackslashEscapes bool
	pipesAsConcat      bool
	highNotPrecedence  bool
	// zeroIsGiven changes no reading: 0 is a value of an AUTO_INCREMENT column.
	zeroIsGiven bool
}

// parseModes reads a value of sql_mode. Names that do not change how a text
// is read are ignored.
func parseModes(s string) modes {
	var m modes
	for name := range strings.SplitSeq(s, ",") {
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL":
			m.ansiQuotes, m.pipesAsConcat = true, true
		case "ANSI_QUOTES":
			m.ansiQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.noBackslashEscapes = true
		case "PIPES_AS_CONCAT":
			m.pipesAsConcat = true
		case "HIGH_NOT_PRECEDENCE":
			m.highNotPrecedence = true
		case "NO_AUTO_VALUE_ON_ZERO":
			m.zeroIsGiven = true
		}
	}
	return m
}

// comment is a comment that was skipped; its body is not read as SQL.
type comment struct {
	start, end int
	// executable is true for /*! and /*M!, whose body some servers run.
	executable bool
	// next is the index of the token that follows.
	next int
}

// errUnreadable is returned for a text whose tokens this package cannot tell
// for certain. Such a text is not analysed.
var errUnreadable = errors.New("the text's tokens are not certain")

// errExecutableComment is returned for a text with a comment that some servers
// run as SQL and others do not.
var errExecutableComment = errors.New("an executable comment (/*! … */) holds more than options and index hints")

// lexer splits a text into tokens as MySQL and MariaDB do. Where the two, or
// their versions, disagree it fails.
type lexer struct {
	src      string
	modes    modes
	pos      int
	tokens   []token
	comments []comment
	params   int
	err      error
}

// lex returns the tokens of src, ended by one of kindEnd.
func lex(src string, m modes, into []token) (*lexer, error) {
	l := &lexer{src: src, modes: m, tokens: into[:0]}
	for l.err == nil && l.step() {
	}
	if l.err != nil {
		return nil, l.err
	}
	l.tokens = append(l.tokens, token{kind: kindEnd, start: len(src), end: len(src)})
	return l, nil
}

// step reads one token or comment; it returns false at the end. A lexer has a branch
// for each way a token begins.
//
//gocyclo:ignore
func (l *lexer) step() bool {
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	if l.pos >= len(l.src) {
		return false
	}
	c := l.src[l.pos]
	switch {
	case isDigit(c):
		l.number()
	case isWordByte(c):
		l.word()
	case c == '\'':
		l.quotedRun(kindString, c)
	case c == '"' && !l.modes.ansiQuotes:
		l.quotedRun(kindString, c)
	case c == '"' || c == '`':
		l.quotedRun(kindQuoted, c)
	case c == '?':
		l.params++
		l.emit(kindParam, l.pos+1)
	case c == '@':
		l.variable()
	case c == '#' || c == '-' && l.lineCommentAhead():
		l.lineComment()
	case c == '/' && l.peek(1) == '*':
		l.blockComment()
	case c == '.' && isDigit(l.peek(1)) && !l.afterName():
		l.number()
	case c < 0x20 || c == 0x7f || c == '\\':
		l.err = errUnreadable
	default:
		l.emit(kindOp, l.pos+operatorLength(l.src[l.pos:]))
	}
	return true
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *lexer) emit(k kind, end int) {
	l.tokens = append(l.tokens, token{kind: k, start: l.pos, end: end, text: l.src[l.pos:end]})
	l.pos = end
}

// afterName is true if the byte before the cursor ends a name, so that a dot
// here separates names instead of starting a number.
func (l *lexer) afterName() bool {
	n := len(l.tokens)
	return n > 0 && l.tokens[n-1].end == l.pos &&
		(l.tokens[n-1].kind == kindWord || l.tokens[n-1].kind == kindQuoted)
}

// afterDot is true if a name's dot stands directly before the cursor.
func (l *lexer) afterDot() bool {
	n := len(l.tokens)
	return n > 0 && l.tokens[n-1].end == l.pos && l.tokens[n-1].text == "." && l.tokens[n-1].kind == kindOp
}

// word reads an unquoted identifier or keyword, or a literal that a letter
// introduces.
func (l *lexer) word() {
	c := l.src[l.pos] | 0x20
	if l.peek(1) == '\'' && !l.afterDot() && (c == 'x' || c == 'b') {
		l.prefixed(c)
		return
	}
	if l.src[l.pos] == '$' {
		// Some servers read $tag$ as a string's quote.
		l.err = errUnreadable
		return
	}
	end := l.pos
	for end < len(l.src) && isWordByte(l.src[end]) {
		end++
	}
	if !utf8.ValidString(l.src[l.pos:end]) {
		l.err = errUnreadable
		return
	}
	l.emit(kindWord, end)
}

// prefixed reads x'4D' or b'01'.
func (l *lexer) prefixed(c byte) {
	end := l.pos + 2
	digit := isHexDigit
	k := kindHex
	if c == 'b' {
		k, digit = kindBit, isBitDigit
	}
	for end < len(l.src) && digit(l.src[end]) {
		end++
	}
	if end >= len(l.src) || l.src[end] != '\'' || k == kindHex && (end-l.pos)%2 != 0 {
		l.err = errUnreadable
		return
	}
	l.emit(k, end+1)
}

// number reads a number, 0x4D, 0b01, or an identifier that starts with a
// digit.
func (l *lexer) number() {
	if l.afterDot() {
		l.word()
		return
	}
	if l.src[l.pos] == '0' {
		switch l.peek(1) {
		case 'x', 'b':
			l.zeroPrefixed()
			return
		case 'X', 'B':
			// A name to the servers, a literal to other readers.
			l.err = errUnreadable
			return
		}
	}
	end := skipDigits(l.src, l.pos)
	whole := end > l.pos
	if end < len(l.src) && l.src[end] == '.' {
		end = skipDigits(l.src, end+1)
		whole = false
		if l.src[end-1] == '.' && !l.closes(end) {
			// "1." directly before a word is read differently by readers.
			l.err = errUnreadable
			return
		}
	}
	if end < len(l.src) && l.src[end]|0x20 == 'e' {
		exp := end + 1
		if exp < len(l.src) && (l.src[exp] == '+' || l.src[exp] == '-') {
			exp++
		}
		if exp >= len(l.src) || !isDigit(l.src[exp]) {
			l.err = errUnreadable
			return
		}
		end, whole = skipDigits(l.src, exp), false
	}
	if end < len(l.src) && isWordByte(l.src[end]) {
		if !whole {
			l.err = errUnreadable
			return
		}
		l.word()
		return
	}
	l.emit(kindNumber, end)
}

// closes reports whether an expression ends before pos.
func (l *lexer) closes(pos int) bool {
	return pos == len(l.src) || l.src[pos] == ',' || l.src[pos] == ')'
}

// zeroPrefixed reads 0x4D or 0b01; anything that only looks like it is left
// alone.
func (l *lexer) zeroPrefixed() {
	k, digit := kindHex, isHexDigit
	if l.src[l.pos+1] == 'b' {
		k, digit = kindBit, isBitDigit
	}
	end := l.pos + 2
	for end < len(l.src) && digit(l.src[end]) {
		end++
	}
	if end == l.pos+2 || end < len(l.src) && isWordByte(l.src[end]) {
		l.err = errUnreadable
		return
	}
	l.emit(k, end)
}

// quotedRun reads a string or quoted identifier.
func (l *lexer) quotedRun(k kind, quote byte) {
	end, ok := l.closing(l.pos, quote, k == kindString)
	if !ok {
		l.err = errUnreadable
		return
	}
	t := token{kind: k, start: l.pos, end: end}
	if k == kindQuoted {
		t.text = l.src[l.pos+1 : end-1]
		if strings.IndexByte(t.text, quote) >= 0 {
			t.text = strings.ReplaceAll(t.text, string([]byte{quote, quote}), string(quote))
		}
		if t.text == "" || strings.IndexByte(t.text, 0) >= 0 || !utf8.ValidString(t.text) {
			l.err = errUnreadable
			return
		}
	}
	l.tokens = append(l.tokens, t)
	l.pos = end
}

// closing returns the offset after the quote that closes the one at start.
func (l *lexer) closing(start int, quote byte, escapes bool) (int, bool) {
	escapes = escapes && !l.modes.noBackslashEscapes
	for i := start + 1; i < len(l.src); i++ {
		switch {
		case l.src[i] == '\\' && escapes:
			i++
		case l.src[i] == quote:
			if i+1 < len(l.src) && l.src[i+1] == quote {
				i++
				continue
			}
			return i + 1, true
		}
	}
	return 0, false
}

// variable reads @x, @'x', @`x`, @@x and a bare @.
func (l *lexer) variable() {
	end := l.pos + 1
	if end < len(l.src) && l.src[end] == '@' {
		end++
	}
	if end < len(l.src) && (l.src[end] == '\'' || l.src[end] == '"' || l.src[end] == '`') {
		stop, ok := l.closing(end, l.src[end], l.src[end] == '\'' || l.src[end] == '"' && !l.modes.ansiQuotes)
		if !ok {
			l.err = errUnreadable
			return
		}
		l.emit(kindVar, stop)
		return
	}
	for end < len(l.src) && (isWordByte(l.src[end]) || l.src[end] == '.') {
		end++
	}
	l.emit(kindVar, end)
}

func (l *lexer) lineCommentAhead() bool {
	if l.peek(1) != '-' {
		return false
	}
	if l.pos+2 >= len(l.src) {
		return true
	}
	c := l.src[l.pos+2]
	return isSpace(c) || c < 0x20 || c == 0x7f
}

// lineComment skips a comment that runs to the end of the line. A server ends
// it at a NUL byte too.
func (l *lexer) lineComment() {
	end := strings.IndexByte(l.src[l.pos:], '\n')
	if end < 0 {
		end = len(l.src)
	} else {
		end += l.pos
	}
	if strings.IndexByte(l.src[l.pos:end], 0) >= 0 {
		l.err = errUnreadable
		return
	}
	l.comments = append(l.comments, comment{start: l.pos, end: end, next: len(l.tokens)})
	l.pos = end
}

// blockComment skips /* … */. The body of an executable comment is looked at
// by [lexer.executable].
func (l *lexer) blockComment() {
	rest := l.src[l.pos+2:]
	stop := strings.Index(rest, "*/")
	if stop < 0 {
		l.err = errUnreadable
		return
	}
	body := rest[:stop]
	c := comment{start: l.pos, end: l.pos + 2 + stop + 2, next: len(l.tokens)}
	switch {
	case strings.HasPrefix(body, "!"), strings.HasPrefix(body, "M!"), strings.HasPrefix(body, "m!"):
		c.executable = true
	case strings.HasPrefix(body, "+") && !plainHint(body):
		l.err = errUnreadable
		return
	}
	l.comments = append(l.comments, c)
	l.pos = c.end
}

// plainHint is true if a hint ends where a comment of the same text ends, and
// changes nothing about how statements are read.
func plainHint(body string) bool {
	return strings.Count(body, "`")%2 == 0 && strings.Count(body, `"`)%2 == 0 &&
		strings.Count(body, "'")%2 == 0 && !containsFold(body, "sql_mode")
}

// body returns what stands in an executable comment, after its version.
func (c comment) body(src string) string {
	s := src[c.start+2 : c.end-2]
	s = s[strings.IndexByte(s, '!')+1:]
	return strings.TrimLeft(s, "0123456789")
}

// operatorLength returns how many bytes the operator at the start of s has.
func operatorLength(s string) int {
	for _, op := range [...]string{"<=>", "->>", "<=", ">=", "<>", "!=", ":=", "&&", "||", "<<", ">>", "->"} {
		if strings.HasPrefix(s, op) {
			return len(op)
		}
	}
	return 1
}

func skipDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool    { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isBitDigit(c byte) bool { return c == '0' || c == '1' }
func isHexDigit(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// isWordByte is true for the bytes of unquoted names; those beyond ASCII
// belong to names whatever character they are part of.
func isWordByte(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' || c >= 0x80
}
