package server

import "strings"

// CutLiteral returns what stands between open and end at the start of text, up to the
// first end, and the length of the whole. The length is 0 if text does not begin with open
// or has no end.
func CutLiteral(text, open, end string) (body string, length int) {
	rest, ok := strings.CutPrefix(text, open)
	if !ok {
		return "", 0
	}
	n := strings.Index(rest, end)
	if n < 0 {
		return "", 0
	}
	return rest[:n], len(open) + n + len(end)
}
