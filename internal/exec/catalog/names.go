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

// NewName reports whether a text has a word, outside string literals, that no text had
// before.
func (c *Catalog) NewName(text string) (found bool) {
	n := &c.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil || len(n.seen) > mostNames {
		n.seen = make(map[string]bool)
	}
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return r == '\'' || inWord(r) })
		if start < 0 {
			break
		}
		text = text[start:]
		if text[0] == '\'' {
			_, text, _ = strings.Cut(text[1:], "'")
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
