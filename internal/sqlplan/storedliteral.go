package sqlplan

import (
	"encoding/binary"
	"math/big"
	"strconv"
	"strings"
)

// stored is the literal that a column of the policy's type holds after l was stored in it:
// servers write a number in a text column in their own form, and round it in a column of
// whole numbers. ok is false where that depends on more than the literal.
func (l Literal) stored(columnType string, loose bool) (_ Literal, ok bool) {
	if l.Kind == LiteralBits && loose {
		l = l.number(columnType)
	}
	if l.Kind == LiteralBool && columnType != "bool" && columnType != "json" && loose {
		l = Literal{Kind: LiteralInteger, Text: map[bool]string{true: "1", false: "0"}[l.Text == "true"]}
	}
	switch columnType {
	case "string", "bytes":
		return l.text(loose)
	case "int64":
		return l.whole(loose)
	}
	return l, true
}

// number is what the bits are where a number stands.
func (l Literal) number(columnType string) Literal {
	switch columnType {
	case "int64", "float64", "decimal":
		if len(l.Text) <= 8 {
			var b [8]byte
			copy(b[8-len(l.Text):], l.Text)
			return Literal{Kind: LiteralInteger, Text: strconv.FormatUint(binary.BigEndian.Uint64(b[:]), 10)}
		}
	}
	return Literal{Kind: LiteralBytes, Text: l.Text}
}

// text is a number as text. A floating-point number beyond the range in which every server
// writes its digits is left to the server.
func (l Literal) text(loose bool) (Literal, bool) {
	switch l.Kind {
	case LiteralBool:
		return Literal{Kind: LiteralString, Text: l.Text}, true
	case LiteralDecimal:
		l.Text = plainDecimal(l.Text)
	case LiteralFloat:
		f, err := strconv.ParseFloat(l.Text, 64)
		if loose {
			size := max(f, -f)
			l.Text = strconv.FormatFloat(f, 'f', -1, 64)
			return l, err == nil && (size == 0 || 1e-4 <= size && size < 1e15 && len(l.Text) <= 15)
		}
		l.Text = plainDecimal(withoutExponent(l.Text))
	}
	return l, true
}

// whole is a number that is rounded, half away from zero. MySQL rounds floating-point
// numbers in other ways.
func (l Literal) whole(loose bool) (Literal, bool) {
	if l.Kind != LiteralDecimal && l.Kind != LiteralFloat {
		return l, true
	}
	x, ok := new(big.Rat).SetString(withoutExponent(l.Text))
	if !ok || loose && l.Kind == LiteralFloat && !x.IsInt() {
		return l, false
	}
	text := strings.TrimSuffix(x.FloatString(0), ".")
	if text == "-0" {
		text = "0"
	}
	return Literal{Kind: LiteralInteger, Text: text}, true
}

// plainDecimal is a decimal with one digit at least before its point, no further zeros
// there, and no sign for zero.
func plainDecimal(s string) string {
	digits, minus := strings.CutPrefix(s, "-")
	before, after, point := strings.Cut(digits, ".")
	if before = strings.TrimLeft(before, "0"); before == "" {
		before = "0"
	}
	if digits = before; point && after != "" {
		digits += "." + after
	}
	if minus && strings.Trim(digits, "0.") != "" {
		return "-" + digits
	}
	return digits
}

// longestExponent bounds the digits that an exponent stands for.
const longestExponent = 4096

// withoutExponent writes out a number with an exponent. It keeps the digits behind the
// point that the number has. A number that is too long stays as it is.
func withoutExponent(s string) string {
	at := strings.IndexAny(s, "eE")
	if at < 0 {
		return s
	}
	shift, err := strconv.Atoi(s[at+1:])
	if err != nil || shift > longestExponent || shift < -longestExponent {
		return s
	}
	digits, minus := strings.CutPrefix(s[:at], "-")
	before, after, _ := strings.Cut(digits, ".")
	for ; shift > 0; shift-- {
		if after == "" {
			after = "0"
		}
		before, after = before+after[:1], after[1:]
	}
	for ; shift < 0; shift++ {
		if before == "" {
			before = "0"
		}
		before, after = before[:len(before)-1], before[len(before)-1:]+after
	}
	if digits = before; after != "" {
		digits += "." + after
	}
	if minus {
		return "-" + digits
	}
	return digits
}
