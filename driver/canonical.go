package driver

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// errNull is returned for a context source that is NULL.
var errNull = errors.New("it is NULL")

const (
	layoutTimestampTZ = "2006-01-02T15:04:05.999999999Z"
	layoutTimestamp   = "2006-01-02T15:04:05.999999999"
	layoutDate        = "2006-01-02"
)

// canonical returns the one text that stands for a context value. loc is the
// zone in which the base driver writes times into columns that have none.
// Errors hold no value.
func canonical(t KeyType, v any, loc *time.Location) (string, error) {
	v, err := plain(v)
	if err != nil {
		return "", err
	}
	if v == nil {
		return "", errNull
	}
	switch t {
	case KeyText, KeyPaddedText:
		s, err := canonicalText(v)
		if err == nil && t == KeyPaddedText {
			s = strings.TrimRight(s, " ")
		}
		return s, err
	case KeyInteger:
		if b, ok := v.(bool); ok && loc != nil { // MySQL's bool is a number
			v = map[bool]int64{true: 1}[b]
		}
		return canonicalInteger(v)
	case KeyNumeric:
		return canonicalNumeric(v)
	case KeyBool:
		b, err := toBool(v)
		return strconv.FormatBool(b), err
	case KeyUUID:
		return canonicalUUID(v)
	case KeyBytes:
		switch v := v.(type) {
		case []byte:
			return hex.EncodeToString(v), nil
		case string:
			if loc == nil { // Postgres reads a string as text of a bytea
				return canonicalBytea(v)
			}
			return hex.EncodeToString([]byte(v)), nil
		}
	case KeyTimestampTZ, KeyTimestamp, KeyDate:
		return canonicalTime(t, v, loc)
	case KeyUnsupported:
		return "", errors.New("its column type cannot be part of an encryption context")
	}
	return "", unfit(v, "the column's type")
}

// unfit names the Go type only: the value stays out of errors.
func unfit(v any, what string) error {
	return fmt.Errorf("a Go %T does not fit %s", v, what)
}

// plain reduces a value to one of nil, int64, uint64, float64, bool, string,
// []byte, time.Time, [16]byte. It calls a Valuer as database/sql would.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, uint64, float64, bool, string, time.Time, [16]byte:
		return v, nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case sqldriver.Valuer:
		rv := reflect.ValueOf(v)
		if rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, nil
		}
		x, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("its Valuer (%T) failed", v)
		}
		if _, again := x.(sqldriver.Valuer); again {
			return nil, unfit(x, "a driver.Value")
		}
		return plain(x)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return plain(rv.Elem().Interface())
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
			return plain(rv.Bytes())
		}
	case reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 && rv.Len() == 16 {
			var u [16]byte
			reflect.Copy(reflect.ValueOf(u[:]), rv)
			return u, nil
		}
	}
	return nil, unfit(v, "a database value")
}

func canonicalText(v any) (string, error) {
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
		return formatUUID(v), nil
	default:
		return "", unfit(v, "a text column")
	}
	if !utf8.ValidString(s) {
		return "", errors.New("it is not valid UTF-8")
	}
	return s, nil
}

func canonicalInteger(v any) (string, error) {
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
		s := strings.TrimSpace(textOf(v))
		n, ok := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
		if !ok || len(s) > 40 || strings.HasPrefix(s, "+-") || strings.Contains(s, "_") {
			return "", errors.New("it is not a decimal integer")
		}
		return n.String(), nil
	}
	return "", unfit(v, "an integer column")
}

func textOf(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v.(string)
}

func canonicalNumeric(v any) (string, error) {
	switch v := v.(type) {
	case int64, uint64:
		return canonicalInteger(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", errors.New("it is not a finite number")
		}
		return canonicalDecimal(strconv.FormatFloat(v, 'f', -1, 64))
	case string, []byte:
		return canonicalDecimal(strings.TrimSpace(textOf(v)))
	}
	return "", unfit(v, "a numeric column")
}

// canonicalDecimal strips signs of zero, leading zeros and zeros after the
// point, and writes an exponent out.
func canonicalDecimal(s string) (string, error) {
	bad := errors.New("it is not a decimal number")
	if len(s) == 0 || len(s) > 1000 {
		return "", bad
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > 2000 || n < -2000 {
			return "", bad
		}
		mantissa, exponent = s[:i], n
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(strings.TrimPrefix(mantissa, "-"), "+")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", bad
	}
	point := len(whole) + exponent
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if point > len(digits) {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, fraction = strings.TrimLeft(digits[:point], "0"), strings.TrimRight(digits[point:], "0")
	if whole == "" {
		whole = "0"
	}
	out := whole
	if fraction != "" {
		out += "." + fraction
	}
	if negative && out != "0" {
		out = "-" + out
	}
	return out, nil
}

func toBool(v any) (bool, error) {
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
		switch strings.ToLower(strings.TrimSpace(textOf(v))) {
		case "t", "true", "1", "yes", "on", "y":
			return true, nil
		case "f", "false", "0", "no", "off", "n":
			return false, nil
		}
	}
	return false, unfit(v, "a boolean")
}

func formatUUID(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func canonicalUUID(v any) (string, error) {
	bad := errors.New("it is not a UUID")
	var s string
	switch v := v.(type) {
	case [16]byte:
		return formatUUID(v), nil
	case []byte:
		if len(v) == 16 {
			return formatUUID([16]byte(v)), nil
		}
		s = string(v)
	case string:
		s = v
	default:
		return "", unfit(v, "a UUID column")
	}
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return "", bad
	}
	return formatUUID([16]byte(raw)), nil
}

// timeLayouts are the texts in which servers and users write points in time.
// A layout without a zone is read in the zone given.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999Z07",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04",
	layoutDate,
}

func parseTime(s string, loc *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("it is not a time in a form like 2006-01-02T15:04:05Z")
}

// canonicalTime rounds to microseconds, as both servers store at the most. A
// column without a zone holds the wall clock: go-sql-driver/mysql brings it into
// its loc first, pgx (for which loc is nil) takes it as it is, and cuts a time.Time
// off at microseconds.
func canonicalTime(t KeyType, v any, inLoc *time.Location) (string, error) {
	loc := inLoc
	if loc == nil {
		loc = time.UTC
	}
	var at time.Time
	switch v := v.(type) {
	case time.Time:
		if at = v; inLoc == nil {
			at = at.Truncate(time.Microsecond)
		}
	case string, []byte:
		var err error
		if at, err = parseTime(textOf(v), loc); err != nil {
			return "", err
		}
	default:
		return "", unfit(v, "a time column")
	}
	switch t {
	case KeyTimestampTZ:
		return at.UTC().Round(time.Microsecond).Format(layoutTimestampTZ), nil
	case KeyTimestamp:
		if inLoc != nil {
			at = at.In(inLoc)
		}
		return at.Round(time.Microsecond).Format(layoutTimestamp), nil
	default:
		if inLoc != nil {
			at = at.In(inLoc)
		}
		return at.Format(layoutDate), nil
	}
}
