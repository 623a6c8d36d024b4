package mysql

import (
	"bytes"
	"strings"
)

// shadow is the text that the parser is given: as long as the original, with
// every token that matters at its own offset, but without what the parser
// reads differently from the servers. Comments and hints become spaces,
// strings that need decoding become strings of plain letters, and "x" under
// ANSI_QUOTES becomes `x`.
type shadow struct {
	t   *text
	buf []byte // nil while it is the same as the original
}

// newShadow returns the shadow of t.
func newShadow(t *text) (*shadow, error) {
	s := &shadow{t: t}
	for _, c := range t.comments {
		s.blank(c.start, c.end)
	}
	for i := range t.tokens {
		tok := &t.tokens[i]
		switch tok.kind {
		case kindString:
			s.maskString(tok.start, tok.end)
		case kindQuoted:
			if !s.maskName(tok) {
				return nil, errUnreadable
			}
		case kindVar:
			s.maskVar(tok)
		case kindNumber:
			if t.src[tok.end-1] == '.' {
				s.edit()[tok.end-1] = '0' // the parser reads no "1."
			}
		}
	}
	return s, nil
}

// edit returns the buffer to write to.
func (s *shadow) edit() []byte {
	if s.buf == nil {
		s.buf = []byte(s.t.src)
	}
	return s.buf
}

// String returns the shadow text.
func (s *shadow) String() string {
	if s.buf == nil {
		return s.t.src
	}
	return string(s.buf)
}

// blank puts spaces in place of the bytes [start, end).
func (s *shadow) blank(start, end int) {
	fill(s.edit()[start:end], ' ')
}

// put writes word over the token i, which must be at least as long.
func (s *shadow) put(i int, word string) bool {
	tok := s.t.tokens[i]
	if tok.end-tok.start < len(word) {
		return false
	}
	s.blank(tok.start, tok.end)
	copy(s.buf[tok.start:], word)
	return true
}

// maskString makes a string end at the same place for every reader. The
// parser looks into few strings; it needs to know whether they hold at most one
// character.
func (s *shadow) maskString(start, end int) {
	body := s.t.src[start+1 : end-1]
	if plainString(body) {
		return
	}
	quote := s.t.src[start]
	buf := s.edit()
	if n := len(unquote(s.t.src[start:end], s.t.modes.noBackslashEscapes)); n == 1 {
		fill(buf[start:end], ' ')
		buf[start], buf[start+1], buf[start+2] = quote, 'x', quote
		return
	}
	fill(buf[start+1:end-1], 'x')
}

// plainString is true if every reader takes the string's bytes as they are.
func plainString(body string) bool {
	for i := range len(body) {
		if c := body[i]; c < 0x20 || c >= 0x7f || c == '\'' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// maskName writes a quoted name so that the parser reads it as a name.
func (s *shadow) maskName(tok *token) bool {
	if s.t.src[tok.start] == '`' {
		return true
	}
	if strings.ContainsAny(tok.text, "`\"") {
		return false
	}
	buf := s.edit()
	buf[tok.start], buf[tok.end-1] = '`', '`'
	return true
}

// maskVar replaces a variable whose name is quoted by one of the same length
// that is not.
func (s *shadow) maskVar(tok *token) {
	if !strings.ContainsAny(tok.text, "'\"`") {
		return
	}
	at := 1 + strings.Count(tok.text[:2], "@@")
	fill(s.edit()[tok.start+at:tok.end], 'q')
}

// selectOnly returns a shadow that holds nothing but SELECT, written over the
// token i, and the tokens after it up to token end.
func (s *shadow) selectOnly(i, end int) string {
	out := bytes.Repeat([]byte{' '}, s.t.endOf(end))
	copy(out[s.t.tokens[i].end:], s.String()[s.t.tokens[i].end:s.t.endOf(end)])
	copy(out[s.t.tokens[i].start:], "SELECT")
	return string(out)
}

func fill(b []byte, c byte) {
	for i := range b {
		b[i] = c
	}
}
