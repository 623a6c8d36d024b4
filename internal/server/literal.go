package server

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// ReadLiteral reads, at the start of text, hexadecimal digits between open and end, or
// base64 between quotes. It returns the bytes and the length of the literal; the length is
// 0 if text does not begin with either.
func ReadLiteral(text, open, end string) (b []byte, length int) {
	decode := hex.DecodeString
	body, n := cutLiteral(text, open, end)
	if n == 0 {
		decode = base64.StdEncoding.DecodeString
		body, n = cutLiteral(text, "'", "'")
	}
	b, err := decode(body)
	if err != nil {
		return nil, 0
	}
	return b, n
}

// cutLiteral returns the text between open, at the start of text, and the first end, and
// the length of all three; the length is 0 if one of them is missing.
func cutLiteral(text, open, end string) (body string, length int) {
	rest, ok := strings.CutPrefix(text, open)
	if !ok {
		return "", 0
	}
	body, _, ok = strings.Cut(rest, end)
	if !ok {
		return "", 0
	}
	return body, len(open) + len(body) + len(end)
}

// IsBase64 reports whether a text has no other characters than base64 has: it needs no
// escapes in a literal.
func IsBase64(text string) bool {
	return strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == ""
}
