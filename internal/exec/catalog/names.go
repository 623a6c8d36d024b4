package catalog

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// names are the words of the texts that were planned. A word that no text had may be the
// name of a view that was just made. The zero value is empty. It is safe for concurrent
// use.
type names struct {
	mu   sync.Mutex
	seen map[string]bool
}

// mostNames bounds the words that are remembered: texts may make up names.
const mostNames = 1 << 14

// relationless begin texts that name no relation unless one of toRelations stands in them.
var relationless = map[string]bool{"select": true, "values": true, "set": true, "show": true, "begin": true, "start": true, "commit": true, "end": true, "rollback": true, "abort": true,
	"savepoint": true, "release": true, "use": true, "discard": true, "deallocate": true, "kill": true, "listen": true, "notify": true, "unlisten": true}

// toRelations are the words before a relation's name in such texts.
var toRelations = []string{"from", "join", "into", "table"}

// NamesRelation reports whether a text may name a relation. A text that begins with a
// comment or a parenthesis may.
func NamesRelation(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
	if end < 0 {
		end = len(text)
	}
	if !relationless[text[:end]] || strings.Contains(text, ";") {
		return true
	}
	for _, word := range toRelations {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// NewName reports whether a text has a word, outside string literals and comments, that no
// text had before.
func (c *Catalog) NewName(text string) (found bool) {
	n := &c.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil || len(n.seen) > mostNames {
		n.seen = make(map[string]bool)
	}
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune("'/-", r) || inWord(r) })
		if start < 0 {
			break
		}
		text = text[start:]
		switch {
		case text[0] == '\'':
			_, text, _ = strings.Cut(text[1:], "'")
			continue
		case strings.HasPrefix(text, "/*") && !strings.HasPrefix(text, "/*!") && !strings.HasPrefix(text, "/*M!"): // those are code
			_, text, _ = strings.Cut(text[2:], "*/")
			continue
		case strings.HasPrefix(text, "-- "):
			_, text, _ = strings.Cut(text, "\n")
			continue
		case text[0] == '/' || text[0] == '-':
			text = text[1:]
			continue
		}
		end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
		if end < 0 {
			end = len(text)
		}
		word := strings.ToLower(text[:end])
		text = text[end:]
		if strings.Trim(word, "0123456789") != "" && !n.seen[word] {
			n.seen[strings.Clone(word)], found = true, true
		}
	}
	return found
}

func inWord(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '_' || r >= utf8.RuneSelf
}
