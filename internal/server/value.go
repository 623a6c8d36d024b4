package server

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Errors of values, which hold no value.
var (
	// ErrNull is returned for a context source that is NULL.
	ErrNull = errors.New("it is NULL")
	// ErrUnsupported is returned for a column whose type has no canonical text.
	ErrUnsupported = errors.New("its column type cannot be part of an encryption context")
	// ErrUncertain is returned for a value that the base driver may have read as
	// another than the column holds.
	ErrUncertain = errors.New("the driver beneath reads different dates and times of the column as one; select the column as text")
	// ErrCharset is returned for a text that the server converts on its way to or from
	// the column.
	ErrCharset = errors.New("the session's character set is not UTF-8, and the server may hold another text than Go; use UTF-8 in the DSN")
	// ErrNotExact is returned for a value that its column would not hold as it
	// is: a ciphertext bound to it would not open in the row.
	ErrNotExact = errors.New("the server would store another value in its place; round, cut or pad it to the column's type first")
)

// Layouts of canonical points in time.
const (
	LayoutTimestampTZ = "2006-01-02T15:04:05.999999999Z"
	LayoutTimestamp   = "2006-01-02T15:04:05.999999999"
	LayoutDate        = "2006-01-02"
)

// Scalar returns the canonical text of a value that [Plain] reduced, for the key
// types that mean the same on every server. Points in time are none of them.
func Scalar(t KeyType, v any) (string, error) {
	switch t {
	case KeyText:
		return Text(v)
	case KeyPaddedText:
		s, err := Text(v)
		return strings.TrimRight(s, " "), err
	case KeyInteger:
		return Integer(v)
	case KeyNumeric:
		return Numeric(v)
	case KeyBool:
		b, err := Bool(v)
		return strconv.FormatBool(b), err
	case KeyUUID:
		return UUID(v)
	case KeyBytes:
		if b, ok := v.([]byte); ok {
			return hex.EncodeToString(b), nil
		}
	case KeyUnsupported:
		return "", ErrUnsupported
	}
	return "", Unfit(v, "the column's type")
}

// Unfit names the Go type only: the value stays out of errors.
func Unfit(v any, what string) error {
	return fmt.Errorf("a Go %T does not fit %s", v, what)
}

// Ask returns what a Valuer answers, as database/sql and pgx ask it: a nil pointer stands
// for NULL if the method is that of the type it points to. The pointer's own method may
// answer for nil.
func Ask(v sqldriver.Valuer) (any, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.IsNil() && rv.Type().Elem().Implements(reflect.TypeFor[sqldriver.Valuer]()) {
		return nil, nil
	}
	x, err := v.Value()
	if err != nil { // it may quote the value
		return nil, fmt.Errorf("its Valuer (%T) failed", v)
	}
	return x, nil
}

// Plain reduces a value to one of nil, int64, uint64, float64, bool, string,
// []byte, time.Time, [16]byte. It calls a Valuer as database/sql would.
// It has a branch for each kind of Go value.
//
//gocyclo:ignore
func Plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, uint64, float64, bool, string, time.Time, [16]byte:
		return v, nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case sqldriver.Valuer:
		x, err := Ask(v)
		if err != nil {
			return nil, err
		}
		if _, again := x.(sqldriver.Valuer); again {
			return nil, Unfit(x, "a driver.Value")
		}
		return Plain(x)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return Plain(rv.Elem().Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return rv.Uint(), nil
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.String:
		return rv.String(), nil
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return Plain(rv.Bytes())
		}
	case reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 && rv.Len() == 16 {
			var u [16]byte
			reflect.Copy(reflect.ValueOf(u[:]), rv)
			return u, nil
		}
	}
	return nil, Unfit(v, "a database value")
}

// Carries reports whether a session whose texts are in the character set, which is empty
// for UTF-8, carries a value as Go's strings hold it. Every set that sealsql works under
// does so with ASCII. That a result shows ASCII is no proof: servers put a question mark
// for what a set lacks.
func Carries(charset string, v any, shown bool) bool {
	s, ok := v.(string)
	if b, isBytes := v.([]byte); isBytes {
		s, ok = string(b), true
	}
	if charset == "" || !ok {
		return true
	}
	highest := rune(utf8.RuneSelf - 1)
	if charset == "utf8" || charset == "utf8mb3" {
		highest = 0xffff
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r > highest || r == '?' && shown })
}

// Text is the canonical form of texts.
func Text(v any) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case [16]byte:
		return FormatUUID(v), nil
	default:
		return "", Unfit(v, "a text column")
	}
	if !utf8.ValidString(s) {
		return "", errors.New("it is not valid UTF-8")
	}
	return s, nil
}

// Integer is the canonical form of integers of any size.
func Integer(v any) (string, error) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), nil
		}
		return "", errors.New("a float that is no whole number does not fit an integer column")
	case string, []byte:
		s := strings.TrimSpace(TextOf(v))
		if isInteger(s) {
			return s, nil
		}
		n, ok := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
		if !ok || len(s) > 40 || strings.HasPrefix(s, "+-") || strings.Contains(s, "_") {
			return "", errors.New("it is not a decimal integer")
		}
		return n.String(), nil
	}
	return "", Unfit(v, "an integer column")
}

// isInteger reports whether a text is that of a positive integer of at most 18 digits in
// its canonical form, as servers show most keys.
func isInteger(s string) bool {
	if s == "" || len(s) > 18 || s[0] == '0' {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// TextOf returns a string or []byte as a string.
func TextOf(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v.(string)
}

// AsText is TextOf for a value of any type: ok is false for those that are no text.
func AsText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case []byte:
		return string(v), true
	case string:
		return v, true
	}
	return "", false
}

// Numeric is the canonical form of decimal numbers.
func Numeric(v any) (string, error) {
	switch v := v.(type) {
	case int64, uint64:
		return Integer(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", errors.New("it is not a finite number")
		}
		return Decimal(strconv.FormatFloat(v, 'f', -1, 64))
	case string, []byte:
		return Decimal(strings.TrimSpace(TextOf(v)))
	}
	return "", Unfit(v, "a numeric column")
}

// Decimal is the canonical form of a number of the decimal system: two texts of one number
// have the same.
func Decimal(s string) (string, error) {
	whole, fraction, err := decimalDigits(s, 1000)
	if err != nil {
		return "", err
	}
	fraction = strings.TrimRight(fraction, "0")
	if whole == "-0" && fraction == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole, nil
}

// maxNumeric is how many digits Postgres's numeric has at the most (131,072 before the
// point and 16,383 after it); MySQL's DECIMAL has 65.
const maxNumeric = 131072 + 16383

// StoredDecimal is a number as a column of numeric without a precision shows it: without an
// exponent, a plus or leading zeros, and with the zeros that were written behind the
// point.
func StoredDecimal(s string) (string, error) {
	whole, fraction, err := decimalDigits(strings.TrimSpace(s), maxNumeric)
	if err != nil {
		return "", err
	}
	if strings.Trim(whole+fraction, "-0") == "" {
		whole = strings.TrimPrefix(whole, "-")
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole, nil
}

// decimalDigits returns the digits before the point, with a minus and without leading
// zeros, and those behind it. limit bounds the digits of the text and of both.
func decimalDigits(s string, limit int) (whole, fraction string, err error) {
	bad := errors.New("it is not a decimal number")
	if len(s) == 0 || len(s) > limit {
		return "", "", bad
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > 2*limit || n < -2*limit {
			return "", "", bad
		}
		mantissa, exponent = s[:i], n
	}
	negative := strings.HasPrefix(mantissa, "-")
	if negative || strings.HasPrefix(mantissa, "+") {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ = strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", "", bad
	}
	point := len(whole) + exponent
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if point > len(digits) {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, fraction = strings.TrimLeft(digits[:point], "0"), digits[point:]
	if whole == "" {
		whole = "0"
	}
	if negative {
		whole = "-" + whole
	}
	return whole, fraction, nil
}

// Bool reads a boolean from the forms in which servers and users write it.
func Bool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case uint64:
		if v <= 1 {
			return v == 1, nil
		}
	case string, []byte:
		switch strings.ToLower(strings.TrimSpace(TextOf(v))) {
		case "t", "true", "1", "yes", "on", "y":
			return true, nil
		case "f", "false", "0", "no", "off", "n":
			return false, nil
		}
	}
	return false, Unfit(v, "a boolean")
}

// FormatUUID writes a UUID in lower case with hyphens.
func FormatUUID(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// UUID is the canonical form of UUIDs.
func UUID(v any) (string, error) {
	bad := errors.New("it is not a UUID")
	var s string
	switch v := v.(type) {
	case [16]byte:
		return FormatUUID(v), nil
	case []byte:
		if len(v) == 16 {
			return FormatUUID([16]byte(v)), nil
		}
		s = string(v)
	case string:
		s = v
	default:
		return "", Unfit(v, "a UUID column")
	}
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return "", bad
	}
	return FormatUUID([16]byte(raw)), nil
}

// timeLayouts are the texts in which servers and users write points in time, months and
// days with one digit or two. A layout without a zone is read in the zone given.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-1-2T15:04:05.999999999Z07:00",
	"2006-1-2 15:04:05.999999999Z07:00",
	"2006-1-2 15:04:05.999999999Z0700",
	"2006-1-2 15:04:05.999999999Z07",
	"2006-1-2T15:04:05.999999999",
	"2006-1-2 15:04:05.999999999",
	"2006-1-2 15:04",
	"2006-1-2T15:04",
	"2006-1-2 15:04Z07:00",
	"2006-1-2T15:04Z07:00",
	"2006-1-2 15:04Z07",
	"2006-1-2",
	"20060102",
}

// ParseTime reads a point in time; a text without a zone is read in loc.
func ParseTime(s string, loc *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("it is not a time in a form like 2006-01-02T15:04:05Z")
}

// Modifiers returns the numbers between the parentheses of a type's full name, as in
// varchar(20), numeric(10,-2), datetime(6): -1 and 0 if they are missing.
func Modifiers(full string) (first, second int) {
	first = -1
	if m := modifiers.FindStringSubmatch(full); m != nil {
		first, _ = strconv.Atoi(m[1])
		second, _ = strconv.Atoi(m[2]) // 0 if it is missing
	}
	return first, second
}

var modifiers = regexp.MustCompile(`\((\d+)(?:,(-?\d+))?\)`)

// FractionDigits counts the digits after the point of a canonical text.
func FractionDigits(text string) int {
	_, after, _ := strings.Cut(strings.TrimSuffix(text, "Z"), ".")
	return len(after)
}

// WholeDigits counts the digits before the point of a canonical number.
func WholeDigits(text string) int {
	before, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return len(strings.TrimLeft(before, "0"))
}
