package leak

import (
	"regexp"
	"strings"
)

// kind is what a token is.
type kind int

const (
	kindSpace   kind = iota // white space and comments
	kindWord                // a name or a keyword, quoted or not
	kindString              // a string literal
	kindNumber              // a number literal
	kindParam               // a parameter
	kindOther               // a sign
	kindGarbage             // the rest of a text that is not read
)

// token is a part of a text. The tokens' texts, joined, are the text.
type token struct {
	kind kind
	text string
}

// The patterns are tried in order. They are not those of sealsql's lexers.
var (
	postgresTokens = regexp.MustCompile(`(?s)^(?:(\s+|--[^\n]*|/\*.*?\*/)|((?:[uU]&)?"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*)|` +
		`([eE]'(?:[^'\\]|''|\\.)*'|(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'|\$\$.*?\$\$|\$q\$.*?\$q\$)|(\d+(?:\.\d+)?)|(\$\d+)|(::|:=|<=|>=|<>|!=|\|\||->>|->|#>>|@>|<@|.))`)
	mysqlTokens = regexp.MustCompile("(?s)^(?:(\\s+|--\\s[^\\n]*|#[^\\n]*|/\\*[^!M].*?\\*/)|(`(?:[^`]|``)*`|@{0,2}[\\p{L}_][\\p{L}\\p{N}_$]*)|" +
		`((?:[xXbBnN]|_[a-z0-9]+ ?)?'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")|(\d+(?:\.\d+)?)|(\?)|(:=|<=>|<=|>=|<>|!=|\|\||&&|->>|->|/\*!\d*|/\*M!\d*|\*/|.))`)
)

// tokens cuts a text.
func tokens(text string, mysql bool) (list []token) {
	re := postgresTokens
	if mysql {
		re = mysqlTokens
	}
	for text != "" {
		m := re.FindStringSubmatch(text)
		if m == nil {
			return append(list, token{kindGarbage, text})
		}
		k := kindSpace
		for i := 2; i <= 6; i++ {
			if m[i] != "" {
				k = kind(i - 1)
			}
		}
		// A prefix of a string literal may look like a word.
		if k == kindWord && len(m[0]) < len(text) && text[len(m[0])] == '\'' && strings.ContainsAny(m[0][:1], "eEuUbBxXnN_") && len(m[0]) <= 2 {
			k = kindOther
		}
		list = append(list, token{k, m[0]})
		text = text[len(m[0]):]
	}
	return list
}

func join(list []token) string {
	var b strings.Builder
	for _, t := range list {
		b.WriteString(t.text)
	}
	return b.String()
}

// where lists the tokens of some kinds.
func where(list []token, is func(token) bool) (at []int) {
	for i, t := range list {
		if is(t) {
			at = append(at, i)
		}
	}
	return at
}

// groups lists the pairs of parentheses that match.
func groups(list []token) (pairs [][2]int) {
	var open []int
	for i, t := range list {
		switch t.text {
		case "(":
			open = append(open, i)
		case ")":
			if len(open) > 0 {
				pairs = append(pairs, [2]int{open[len(open)-1], i + 1})
				open = open[:len(open)-1]
			}
		}
	}
	return pairs
}

// elements lists the elements of the lists between commas, each without its comma.
func elements(list []token) (spans [][2]int) {
	depth, starts := 0, []int{0}
	for i, t := range list {
		switch t.text {
		case "(":
			depth++
			starts = append(starts, i+1)
		case ")", ",":
			if start := starts[len(starts)-1]; start < i {
				spans = append(spans, [2]int{start, i})
			}
			if t.text == "," {
				starts[len(starts)-1] = i + 1
			} else if depth > 0 {
				depth--
				starts = starts[:len(starts)-1]
			}
		}
	}
	return spans
}
