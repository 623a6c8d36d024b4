package sqlplan

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wide folds a name in every way in which a server may fold one: names that any
// of them takes for one have one wide form. The reverse does not hold, so that
// the wide form alone never says what a name means. It says where to look, and
// what is refused because it is in doubt.
//
// Servers fold by their own tables: Postgres ASCII only, or each byte of a
// single-byte encoding by its locale; MySQL by simple mappings to lower case,
// which take İ (U+0130) to i. The wide form joins what upper case, lower case or
// simple folding joins, and writes out the letters that stand for two.
func wide(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	var last rune
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			b.WriteByte(s[i]) // a byte of another encoding
			continue
		}
		if r == combiningDot && last == 'i' {
			continue // İ in full lower case is i and a dot
		}
		if two, ok := doubles[r]; ok {
			b.WriteString(two)
			continue
		}
		last = wideRune(r)
		b.WriteRune(last)
	}
	return b.String()
}

const combiningDot = 0x0307

// doubles are the letters that full case folding writes as several.
var doubles = map[rune]string{
	'ß': "ss", 'ẞ': "ss", 'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "st", 'ﬆ': "st", 'ŉ': "ʼn", 'ǰ': "ǰ",
	'և': "եւ", 'ﬓ': "մն", 'ﬔ': "մե", 'ﬕ': "մի", 'ﬖ': "վն", 'ﬗ': "մխ",
}

// wideRune is the least of the letters that r is joined with, in lower case.
func wideRune(r rune) rune {
	least := r
	for _, x := range [...]rune{r, unicode.ToLower(r), unicode.ToUpper(r)} {
		least = min(least, x)
		for f := unicode.SimpleFold(x); f != x; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
	}
	if least < utf8.RuneSelf {
		return unicode.ToLower(least)
	}
	return least
}

// inDoubt reports whether two names that the dialect tells apart may be one to a
// server.
func inDoubt(a, b string) bool { return a != "" && wide(a) == wide(b) }

// nameSet is the names to look for, in their wide form.
type nameSet struct {
	all   map[string]bool
	list  []string
	ascii []string // those that a search of a text's bytes finds
}

func (n *nameSet) add(name string) {
	w := wide(name)
	if n.all[w] {
		return
	}
	if n.all == nil {
		n.all = map[string]bool{}
	}
	n.all[w] = true
	n.list = append(n.list, w)
	if isASCII(w) {
		n.ascii = append(n.ascii, w)
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// in reports whether one of the names occurs in the text as a whole word.
func (n *nameSet) in(text string) bool {
	if !isASCII(text) {
		text = wide(text)
	}
	return mentions(text, n.list)
}

// mayName reports whether a text may name one of the names. It is the only
// reason for which a text is sent without being parsed: no identifier of it,
// decoded by the dialect's lexer and folded in every way that a server folds, is
// one of the names. A text whose identifiers are not certain may name them.
func (n *nameSet) mayName(text string, d Dialect) bool {
	for _, name := range n.ascii {
		if containsFold(text, name) {
			return true
		}
	}
	if d.Obscured(text) {
		return true
	}
	if isASCII(text) {
		return false
	}
	found := false
	ok := d.Words(text, func(word string) {
		found = found || n.in(word)
	})
	return found || !ok
}
