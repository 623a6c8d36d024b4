package server

import "strings"

// readAs are the types by which a text may mean another key than it does as text.
var readAs = []KeyType{KeyPaddedText, KeyInteger, KeyNumeric, KeyUUID, KeyDate, KeyTimestamp, KeyTimestampTZ}

// Ambiguous reports whether columns of two types may hold a value, given for the column,
// as two keys: '007' is another key of text than 7.
func Ambiguous(values Values, c *Column, v any) bool {
	plain, err := Plain(v)
	var text string
	switch x := plain.(type) {
	case string:
		text = x
	case []byte:
		text = string(x)
	case [16]byte:
		return false
	case int64, uint64:
		return c.Key != KeyText && c.Key != KeyInteger && c.Key != KeyNumeric && c.Key != KeyPaddedText
	default:
		return err == nil && plain != nil
	}
	if unlike(text) {
		return false
	}
	if canonical, err := values.Given(c, plain); err == nil && canonical != text {
		return true
	}
	for _, t := range readAs {
		if canonical, err := values.Given(&Column{Key: t}, text); err == nil && canonical != text {
			return true
		}
	}
	return false
}

// unlike reports for sure that every type spells a text as it is that takes it at all: a
// short number without leading zeros, or what begins like no number, date or UUID.
func unlike(text string) bool {
	if text == "" || text[len(text)-1] == ' ' {
		return false
	}
	if first := text[0] | 0x20; 'g' <= first && first <= 'z' {
		return true
	}
	digits := strings.Trim(text, "0123456789") == ""
	return digits && len(text) < 6 && (text[0] != '0' || len(text) == 1)
}
