package postgres

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

// ranges are the built-in range types, by the types of their bounds. See "Range Types" in
// Postgres's manual.
var ranges = map[string]server.KeyType{
	"int4range": server.KeyInteger, "int8range": server.KeyInteger, "numrange": server.KeyNumeric,
	"daterange": server.KeyDate, "tsrange": server.KeyTimestamp, "tstzrange": server.KeyTimestampTZ,
}

var errRange = errors.New("it is not the text of a range, such as [2026-01-01,2026-02-01)")

// span is a range: a bound is nil where there is none.
type span struct {
	lower, upper *string
	includes     [2]bool // whether the bounds belong to the range
}

// readRange reads the text of a range that is not empty.
func readRange(text string) (r span, err error) {
	var end int
	if r.lower, end, err = rangeBound(text, 1); err != nil || strings.IndexByte("[(", text[0]) < 0 || text[end] != ',' {
		return r, errRange
	}
	if r.upper, end, err = rangeBound(text, end+1); err != nil || end != len(text)-1 || strings.IndexByte("])", text[end]) < 0 {
		return r, errRange
	}
	r.includes = [2]bool{text[0] == '[' && r.lower != nil, text[end] == ']' && r.upper != nil}
	return r, nil
}

// canonicalRange writes a range as Postgres stores it: ranges of whole numbers and of days
// include their lower bound and not the upper one; bounds are in their own canonical form.
func canonicalRange(bound server.KeyType, v any) (string, error) {
	text, err := server.Text(v)
	if err != nil {
		return "", server.Unfit(v, "a range; write its text")
	}
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "empty") {
		return "empty", nil
	}
	r, err := readRange(text)
	if err != nil {
		return "", err
	}
	var bounds [2]string
	for i, b := range [2]*string{r.lower, r.upper} {
		if b == nil {
			continue
		}
		if bounds[i], err = canonicalBound(bound, *b); err != nil {
			return "", err
		}
		if included := i == 0; r.includes[i] != included {
			next, ok, err := successor(bound, bounds[i])
			if err != nil {
				return "", err
			}
			if ok {
				bounds[i], r.includes[i] = next, included
			}
		}
	}
	if r.lower != nil && r.upper != nil && bounds[0] == bounds[1] && r.includes != [2]bool{true, true} {
		return "empty", nil
	}
	opened, closed := "(", ")"
	if r.includes[0] {
		opened = "["
	}
	if r.includes[1] {
		closed = "]"
	}
	return opened + bounds[0] + "," + bounds[1] + closed, nil
}

// rangeBound reads a bound from an offset on, and returns where it ends. It is nil if the
// range has no such bound. Quotes and backslashes are as range_in reads them.
func rangeBound(text string, at int) (bound *string, end int, err error) {
	start, quoted := at, false
	var b strings.Builder
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c == '\\' && at+1 < len(text):
			at++
			b.WriteByte(text[at])
		case c == '"' && quoted && at+1 < len(text) && text[at+1] == '"':
			at++
			b.WriteByte('"')
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(",()[]", c) >= 0:
			if at == start {
				return nil, at, nil
			}
			s := b.String()
			return &s, at, nil
		default:
			b.WriteByte(c)
		}
	}
	return nil, at, errRange
}

// canonicalBound is a bound in the canonical form of its type. Days and times may be
// infinite.
func canonicalBound(t server.KeyType, text string) (string, error) {
	text = strings.TrimSpace(text)
	if t == server.KeyDate || t == server.KeyTimestamp || t == server.KeyTimestampTZ {
		switch strings.ToLower(text) {
		case "infinity", "-infinity":
			return strings.ToLower(text), nil
		}
	}
	if t == server.KeyTimestampTZ {
		if err := zoned(text); err != nil {
			return "", err
		}
	}
	return canonical(t, text)
}

// successor is the next day or whole number. Infinite days, and bounds of other types,
// have none.
func successor(t server.KeyType, text string) (next string, ok bool, err error) {
	switch t {
	case server.KeyInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n == math.MaxInt64 {
			return "", false, server.ErrNotExact
		}
		return strconv.FormatInt(n+1, 10), true, nil
	case server.KeyDate:
		day, err := time.Parse(server.LayoutDate, text)
		if err != nil { // infinite
			return "", false, nil
		}
		return day.AddDate(0, 0, 1).Format(server.LayoutDate), true, nil
	}
	return "", false, nil
}
