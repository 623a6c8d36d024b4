package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxContextLength = 65535
	maxField         = 65535 // of a field whose length takes two bytes
)

// pair is a pair of a context.
type pair struct{ key, value string }

// inlinePairs is how many pairs lie on the stack; more are allocated.
const inlinePairs = 8

// collect appends the context's pairs to dst and sorts them by the bytes of
// their keys.
func collect(dst []pair, c Context) []pair {
	for k, v := range c {
		dst = append(dst, pair{k, v})
	}
	if len(dst) > 1 {
		slices.SortFunc(dst, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	}
	return dst
}

// AppendContext appends the serialization of the context (data-format,
// "encryption context" of the specification: 3 in FORMAT.md): a pair count and the pairs
// in ascending byte order of their keys, each length with two bytes, big-endian.
// An empty context appends nothing. It fails with [ErrInvalidContext].
func AppendContext(dst []byte, c Context) ([]byte, error) {
	var inline [inlinePairs]pair
	pairs := collect(inline[:0], c)
	n, err := serializedLength(pairs)
	if err != nil {
		return dst, err
	}
	return appendPairs(slices.Grow(dst, n), pairs), nil
}

// AppendCallerContext is AppendContext for a context that a value is sealed under:
// it also fails for an empty key and for the keys that AWS reserves.
func AppendCallerContext(dst []byte, c Context) ([]byte, error) {
	var inline [inlinePairs]pair
	pairs := collect(inline[:0], c)
	if err := checkCaller(pairs); err != nil {
		return dst, err
	}
	return appendPairs(dst, pairs), nil
}

// appendPairs serializes checked pairs.
func appendPairs(dst []byte, pairs []pair) []byte {
	if len(pairs) == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(pairs)))
	for _, p := range pairs {
		dst = appendField(appendField(dst, p.key), p.value)
	}
	return dst
}

func appendField[T string | []byte](dst []byte, f T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(f))), f...)
}

// serializedLength checks the pairs and returns the length of their serialization in
// bytes.
func serializedLength(pairs []pair) (int, error) {
	if len(pairs) == 0 {
		return 0, nil
	}
	n := 2
	for _, p := range pairs {
		if !utf8.ValidString(p.key) || !utf8.ValidString(p.value) {
			return 0, invalidContext("a key or value is not UTF-8")
		}
		n += 4 + len(p.key) + len(p.value)
	}
	if n > maxContextLength {
		return 0, invalidContext(fmt.Sprintf("it takes %d bytes, more than the format's %d", n, maxContextLength))
	}
	return n, nil
}

// checkCaller checks the pairs that a caller passes to Encrypt.
func checkCaller(pairs []pair) error {
	for _, p := range pairs {
		if p.key == "" {
			return invalidContext("a key is empty")
		}
		if strings.HasPrefix(p.key, reservedContextPrefix) {
			return invalidContext("a key starts with " + reservedContextPrefix + ", which is reserved")
		}
	}
	_, err := serializedLength(pairs)
	return err
}

// split moves the pairs of the required keys, which a message does not store,
// behind the others. Both parts stay in order.
func split(pairs []pair, required []string) (stored, left []pair) {
	if len(required) == 0 {
		return pairs, nil
	}
	for _, p := range pairs {
		if slices.Contains(required, p.key) {
			left = append(left, p)
		} else {
			stored = append(stored, p)
		}
	}
	return stored, left
}

func invalidContext(what string) error {
	return &Error{Kind: ErrInvalidContext, Op: "encrypt", What: what}
}

// checkContext checks a serialized context. Unsorted pairs are accepted, as the
// official SDKs do; duplicates and bytes left over are not.
func checkContext(b []byte, offset int) (sorted bool, err error) {
	if len(b) == 0 {
		return true, nil
	}
	bad := func(what string) (bool, error) { return false, tampered(offset, what) }
	if len(b) < 2 {
		return bad("the encryption context is cut short")
	}
	count := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if count == 0 || count > len(b)/4 {
		return bad("the encryption context's pair count is wrong")
	}
	whole, last := b, []byte(nil)
	sorted = true
	for i := range count {
		var k, v []byte
		var ok bool
		if k, v, b, ok = nextPair(b); !ok {
			return bad("the encryption context is cut short")
		}
		if !utf8.Valid(k) || !utf8.Valid(v) {
			return bad("the encryption context is not UTF-8")
		}
		sorted = sorted && (i == 0 || bytes.Compare(last, k) < 0)
		last = k
	}
	if len(b) != 0 {
		return bad("the encryption context has bytes left over")
	}
	// In ascending order no key can be there twice.
	if !sorted && len(contextMap(whole, count)) != count {
		return bad("the encryption context has a key twice")
	}
	return sorted, nil
}

// contextMap returns the pairs of a checked serialization.
func contextMap(b []byte, count int) Context {
	text := string(b) // one allocation holds every key and value
	c := make(Context, count)
	for at := 0; len(b) > 0; {
		k, v, rest, _ := nextPair(b)
		c[text[at+2:at+2+len(k)]] = text[at+4+len(k) : at+4+len(k)+len(v)]
		at += len(b) - len(rest)
		b = rest
	}
	return c
}

// nextPair takes a pair off a serialization, behind its count.
func nextPair(b []byte) (k, v, rest []byte, ok bool) {
	if k, b, ok = field(b); ok {
		v, b, ok = field(b)
	}
	return k, v, b, ok
}

func field(b []byte) (f, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}
