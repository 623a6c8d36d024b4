package seal

import (
	"bytes"
	"errors"

	"github.com/sealsql/sealsql/internal/server"
)

// NullIf returns nil for a value that equals a literal: as text, or as values of the
// column. It returns every other value reduced by [server.Plain]. loose says that the
// server's equality may take no notice of case and of spaces at the end: NullIf fails for a
// value that equals the literal so only.
func (c *Column) NullIf(rules server.Values, v, literal any, loose bool) (any, error) {
	v, err := server.Plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	inDoubt := false
	same := func(x, y []byte) bool {
		inDoubt = inDoubt || loose && bytes.EqualFold(bytes.TrimRight(x, " "), bytes.TrimRight(y, " "))
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
	if inDoubt {
		return nil, errors.New("whether it equals NULLIF's literal depends on the collation; pass NULL or the value")
	}
	return v, nil
}

// encoded is the plain text form of a value that the column takes.
func (c *Column) encoded(rules server.Values, v any) ([]byte, bool) {
	plaintext, null, err := c.EncodeGiven(rules, v)
	return plaintext, err == nil && !null
}
