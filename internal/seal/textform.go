package seal

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// encodePlaintext returns the plain text form of a value in UTF-8, as it is
// sealed: int64 in decimal, floats in Go's shortest form, timestamps in RFC 3339 with
// nanoseconds in UTC, bytes as they are. null is true for NULL. Errors hold no
// value. The result never shares memory with v.
func encodePlaintext(t policy.ValueType, v any) (b []byte, null bool, err error) {
	if t == policy.TypeJSON {
		return encodeJSON(v)
	}
	if v, err = server.Plain(v); err != nil {
		return nil, false, err
	}
	if v == nil {
		return nil, true, nil
	}
	switch t {
	case policy.TypeString:
		s, err := server.Text(v)
		return []byte(s), false, err
	case policy.TypeBytes:
		switch v := v.(type) {
		case []byte:
			return append(make([]byte, 0, len(v)), v...), false, nil
		case string:
			return []byte(v), false, nil
		case [16]byte:
			return append([]byte(nil), v[:]...), false, nil
		}
		return nil, false, server.Unfit(v, "a bytes column")
	}
	s, err := encodeScalar(t, v)
	return []byte(s), false, err
}

func encodeScalar(t policy.ValueType, v any) (string, error) {
	switch t {
	case policy.TypeInt64:
		s, err := server.Integer(v)
		if err != nil {
			return "", err
		}
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return "", errors.New("it does not fit 64 bits")
		}
		return s, nil
	case policy.TypeFloat64:
		return encodeFloat(v)
	case policy.TypeBool:
		b, err := server.Bool(v)
		return strconv.FormatBool(b), err
	case policy.TypeTimestamp:
		return encodeTime(v)
	case policy.TypeDate:
		return encodeDate(v)
	case policy.TypeDecimal:
		return encodeDecimal(v)
	case policy.TypeUUID:
		return server.UUID(v)
	}
	return "", errors.New("the column's type is not known")
}

func encodeFloat(v any) (string, error) {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case int64:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case uint64:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case string, []byte:
		f, err := strconv.ParseFloat(server.TextOf(v), 64)
		if err != nil {
			return "", errors.New("it is not a number")
		}
		return strconv.FormatFloat(f, 'g', -1, 64), nil
	}
	return "", server.Unfit(v, "a float64 column")
}

func encodeTime(v any) (string, error) {
	switch v := v.(type) {
	case time.Time:
		return checkedTime(v)
	case string, []byte:
		at, err := server.ParseTime(server.TextOf(v), time.UTC)
		if err != nil {
			return "", err
		}
		return checkedTime(at)
	}
	return "", server.Unfit(v, "a timestamp column")
}

func encodeDate(v any) (string, error) {
	switch v := v.(type) {
	case time.Time:
		return checkedDate(v)
	case string, []byte:
		at, err := server.ParseTime(server.TextOf(v), time.UTC)
		if err != nil {
			return "", err
		}
		return checkedDate(at)
	}
	return "", server.Unfit(v, "a date column")
}

func checkedDate(at time.Time) (string, error) {
	if y := at.Year(); y < 0 || y > 9999 {
		return "", errors.New("its year is outside 0 to 9999")
	}
	return at.Format(server.LayoutDate), nil
}

func checkedTime(at time.Time) (string, error) {
	at = at.UTC()
	if y := at.Year(); y < 0 || y > 9999 {
		return "", errors.New("its year is outside 0 to 9999")
	}
	return at.Format(time.RFC3339Nano), nil
}

// encodeDecimal keeps the digits as given: 1.50 stays 1.50.
func encodeDecimal(v any) (string, error) {
	switch v := v.(type) {
	case string, []byte:
		return server.StoredDecimal(server.TextOf(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", errors.New("it is not a finite number")
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int64, uint64:
		return server.Integer(v)
	}
	return "", server.Unfit(v, "a decimal column")
}

func encodeJSON(v any) ([]byte, bool, error) {
	var b []byte
	if raw, ok := v.(json.RawMessage); ok {
		v = []byte(raw)
	}
	p, err := server.Plain(v)
	switch p := p.(type) {
	case string:
		b = []byte(p)
	case []byte:
		b = append(make([]byte, 0, len(p)), p...)
	default:
		if err == nil && p == nil {
			return nil, true, nil
		}
		if b, err = json.Marshal(v); err != nil {
			return nil, false, errors.New("it cannot be written as JSON")
		}
	}
	if !json.Valid(b) {
		return nil, false, errors.New("it is not JSON")
	}
	return b, false, nil
}

// isText reports whether values of a type are texts.
func isText(t policy.ValueType) bool {
	switch t {
	case policy.TypeString, policy.TypeDecimal, policy.TypeUUID, policy.TypeJSON:
		return true
	}
	return false
}

// decodePlaintext is the inverse of encodePlaintext: string, decimal, uuid and
// json become string, or []byte if asBytes is set; bytes []byte; int64, float64, bool
// themselves; timestamp and date time.Time in UTC. It takes ownership of b.
func decodePlaintext(t policy.ValueType, b []byte, asBytes bool) (any, error) {
	if t == policy.TypeBytes {
		if b == nil {
			b = []byte{}
		}
		return b, nil
	}
	if !utf8.Valid(b) {
		clear(b)
		return nil, errors.New("the plaintext is not UTF-8")
	}
	if isText(t) && asBytes {
		if b == nil {
			b = []byte{}
		}
		return b, nil
	}
	defer clear(b)
	s := string(b)
	if isText(t) {
		return s, nil
	}
	switch t {
	case policy.TypeInt64:
		n, err := strconv.ParseInt(s, 10, 64)
		return n, hideCause(err)
	case policy.TypeFloat64:
		f, err := strconv.ParseFloat(s, 64)
		return f, hideCause(err)
	case policy.TypeBool:
		v, err := server.Bool(s)
		return v, hideCause(err)
	case policy.TypeTimestamp:
		at, err := time.Parse(time.RFC3339Nano, s)
		return at, hideCause(err)
	case policy.TypeDate:
		at, err := time.Parse(server.LayoutDate, s)
		return at, hideCause(err)
	}
	return nil, errors.New("the column's type is not known")
}

// hideCause replaces an error of package strconv or time, whose text quotes
// the value that it could not read.
func hideCause(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("the plaintext is not in the form of the column's type")
}

// scanType is the Go type that a protected column's values have.
func scanType(t policy.ValueType) reflect.Type {
	switch t {
	case policy.TypeBytes:
		return reflect.TypeFor[[]byte]()
	case policy.TypeInt64:
		return reflect.TypeFor[int64]()
	case policy.TypeFloat64:
		return reflect.TypeFor[float64]()
	case policy.TypeBool:
		return reflect.TypeFor[bool]()
	case policy.TypeTimestamp, policy.TypeDate:
		return reflect.TypeFor[time.Time]()
	}
	return reflect.TypeFor[string]()
}
