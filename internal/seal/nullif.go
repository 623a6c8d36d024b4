package seal

import (
	"bytes"

	"github.com/sealsql/sealsql/internal/server"
)

// NullIf returns nil for a value that equals a literal: as text, or as values of the
// column. Loose equality takes no notice of case and of spaces at the end. NullIf returns
// every other value reduced by [server.Plain].
func (c *Column) NullIf(rules server.Values, v, literal any, loose bool) (any, error) {
	v, err := server.Plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	same := func(x, y []byte) bool {
		if loose {
			x, y = bytes.ToLower(bytes.TrimRight(x, " ")), bytes.ToLower(bytes.TrimRight(y, " "))
		}
		return bytes.Equal(x, y)
	}
	if text, ok := literal.(string); ok {
		switch given := v.(type) {
		case string:
			ok = same([]byte(given), []byte(text))
		case []byte:
			ok = same(given, []byte(text))
		default:
			ok = false
		}
		if ok {
			return nil, nil
		}
	}
	x, xOK := c.encoded(rules, v)
	y, yOK := c.encoded(rules, literal)
	defer clear(x)
	defer clear(y)
	if xOK && yOK && same(x, y) {
		return nil, nil
	}
	return v, nil
}

// encoded is the plain text form of a value that the column takes.
func (c *Column) encoded(rules server.Values, v any) ([]byte, bool) {
	sent, err := rules.Sent(c.InClear(), v)
	if err != nil {
		return nil, false
	}
	plaintext, null, err := c.Encode(rules, sent)
	return plaintext, err == nil && !null
}
