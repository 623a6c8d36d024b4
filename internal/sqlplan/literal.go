package sqlplan

import "errors"

// Value returns what the literal stands for: a string, bytes or a bool.
func (l Literal) Value() (any, error) {
	switch l.Kind {
	case LiteralString, LiteralInteger, LiteralDecimal, LiteralFloat:
		return l.Text, nil
	case LiteralBytes, LiteralBits:
		return []byte(l.Text), nil
	case LiteralBool:
		return l.Text == "true", nil
	}
	return nil, errors.New("the literal's kind is not known")
}
