package codec

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxContextLength = 65535

// AppendContext appends the serialization of the context (data-format,
// "encryption context" of the specification: 3 in FORMAT.md): a pair count and the pairs
// in ascending byte order of their keys, each length with two bytes, big-endian.
// An empty context appends nothing. It fails with [ErrInvalidContext].
func AppendContext(dst []byte, c Context) ([]byte, error) {
	n, err := c.serializedLength()
	if err != nil {
		return dst, err
	}
	return appendPairs(slices.Grow(dst, n), c, nil), nil
}

// appendPairs serializes a checked context. With only, just those keys.
func appendPairs(dst []byte, c Context, only []string) []byte {
	var room [16]string
	keys := room[:0]
	if only != nil {
		keys = append(keys, only...)
	} else {
		for k := range c {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return dst
	}
	slices.Sort(keys)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(keys)))
	for _, k := range keys {
		dst = appendField(dst, k)
		dst = appendField(dst, c[k])
	}
	return dst
}

func appendField[T string | []byte](dst []byte, f T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(f))), f...)
}

// serializedLength checks what a caller may pass and returns the length of the
// serialization in bytes.
func (c Context) serializedLength() (int, error) {
	if len(c) == 0 {
		return 0, nil
	}
	n := 2
	for k, v := range c {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return 0, invalidContext("a key or value is not UTF-8")
		}
		n += 4 + len(k) + len(v)
	}
	if n > maxContextLength {
		return 0, invalidContext(fmt.Sprintf("it takes %d bytes, more than the format's %d", n, maxContextLength))
	}
	return n, nil
}

// checkCaller checks a context that a caller passes to Encrypt.
func (c Context) checkCaller() error {
	for k := range c {
		if k == "" {
			return invalidContext("a key is empty")
		}
		if strings.HasPrefix(k, reservedContextPrefix) {
			return invalidContext("a key starts with " + reservedContextPrefix + ", which is reserved")
		}
	}
	_, err := c.serializedLength()
	return err
}

func invalidContext(what string) error {
	return &Error{Kind: ErrInvalidContext, Op: "encrypt", What: what, Offset: -1}
}

// parseContext reads a serialized context. Unsorted pairs are accepted, as the
// official SDKs do; duplicates and bytes left over are not.
func parseContext(b []byte, offset int) (Context, error) {
	if len(b) == 0 {
		return nil, nil
	}
	bad := func(what string) error { return tampered(offset, what) }
	if len(b) < 2 {
		return nil, bad("the encryption context is cut short")
	}
	count := int(binary.BigEndian.Uint16(b))
	text := string(b[2:]) // one allocation holds every key and value
	if count == 0 || count > len(text)/4 {
		return nil, bad("the encryption context's pair count is wrong")
	}
	c := make(Context, count)
	for range count {
		k, rest, ok := field(text)
		if !ok {
			return nil, bad("the encryption context is cut short")
		}
		v, rest, ok := field(rest)
		if !ok {
			return nil, bad("the encryption context is cut short")
		}
		if _, twice := c[k]; twice {
			return nil, bad("the encryption context has a key twice")
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, bad("the encryption context is not UTF-8")
		}
		c[k], text = v, rest
	}
	if text != "" {
		return nil, bad("the encryption context has bytes left over")
	}
	return c, nil
}

func field(s string) (f, rest string, ok bool) {
	if len(s) < 2 {
		return "", "", false
	}
	n := int(s[0])<<8 | int(s[1])
	if len(s) < 2+n {
		return "", "", false
	}
	return s[2 : 2+n], s[2+n:], true
}
