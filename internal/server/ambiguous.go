package server

import "strings"

// Ambiguity says whether a given value may be another key once its column has another type.
type Ambiguity int

const (
	// Unambiguous values are the same under every type that takes them.
	Unambiguous Ambiguity = iota
	// AmbiguousBytes are another key as bytes only.
	AmbiguousBytes
	// Ambiguous values may be another number, date, UUID or padded text: '007' is not 7.
	Ambiguous
)

// AmbiguityOf returns the ambiguity of a value that is given for a column.
func AmbiguityOf(c *Column, v any) Ambiguity {
	plain, err := Plain(v)
	var text string
	switch x := plain.(type) {
	case string:
		text = x
	case []byte:
		text = string(x)
	case [16]byte:
		return Unambiguous
	case int64, uint64:
		switch c.Key {
		case KeyInteger, KeyNumeric:
			return Unambiguous
		case KeyText, KeyPaddedText:
			return AmbiguousBytes
		}
		return Ambiguous
	default:
		if err != nil || plain == nil {
			return Unambiguous
		}
		return Ambiguous
	}
	switch {
	case c.Key == KeyBytes:
		return Ambiguous
	case c.Key == KeyUUID && canonicalUUID(text), c.Key == KeyInteger && shortNumber(text), c.Key == KeyNumeric && shortNumber(text):
		return Unambiguous
	case shortNumber(text), canonicalUUID(text), word(text):
		return AmbiguousBytes
	}
	return Ambiguous
}

// shortNumber reports whether a text is a number as every type spells it that takes it.
// Longer ones may be dates.
func shortNumber(text string) bool {
	return len(text) > 0 && len(text) < 6 && strings.Trim(text, "0123456789") == "" && (text[0] != '0' || len(text) == 1)
}

func canonicalUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && strings.Trim(text, "0123456789abcdef-") == ""
}

// word reports whether a text begins like no number, date, boolean or UUID.
func word(text string) bool {
	if text == "" || text[len(text)-1] == ' ' {
		return false
	}
	if first := text[0] | 0x20; first < 'a' || first > 'z' && text[0] < 0x80 {
		return false
	}
	digits := strings.Count(text, "-")
	for _, b := range []byte(text) {
		if '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f' {
			digits++
		}
	}
	lower := strings.ToLower(text[:min(len(text), 9)])
	for _, w := range booleans {
		if strings.HasPrefix(w, lower) {
			return false
		}
	}
	for _, w := range moments {
		if strings.HasPrefix(lower, w) {
			return false
		}
	}
	return digits < len(text) || len(text) < 32
}

var (
	// booleans may be cut short.
	booleans = []string{"true", "false", "yes", "no", "on", "off"}
	// moments are how dates begin, and numbers without digits.
	moments = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "sat", "sun",
		"epoch", "inf", "nan", "now", "today", "tomorrow", "yesterday", "j0", "j1", "j2"}
)
