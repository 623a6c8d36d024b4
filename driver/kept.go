package driver

import (
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// errNotKept is returned for a value that its column would not hold as it is: a
// ciphertext bound to it would not open in the row.
var errNotKept = errors.New("the server would store another value in its place; round, cut or pad it to the column's type first")

var modifiers = regexp.MustCompile(`\((\d+)(?:,(-?\d+))?\)`)

// kept checks that a column stores a value, whose canonical text is text, as it
// is: servers round times and numbers, cut trailing spaces, pad bytes, and take
// members of an enumeration in any case or by number. A column whose full type is
// not known is not checked.
func kept(c sqlplan.RelationColumn, t KeyType, v any, text string, loc *time.Location) error {
	full := strings.ToLower(c.Full)
	limit, digits := -1, 0
	if m := modifiers.FindStringSubmatch(full); m != nil {
		limit, _ = strconv.Atoi(m[1])
		digits, _ = strconv.Atoi(m[2])
	}
	ok := true
	switch {
	case full == "":
	case strings.HasPrefix(full, "enum"):
		ok = slices.Contains(members(c.Full), text)
	case strings.HasPrefix(full, "set"):
		ok = inOrder(members(c.Full), text)
	case strings.HasPrefix(full, "year"):
		s, isText := v.(string)
		ok = len(text) == 4 || text == "0" && !(isText && len(s) < 4)
	case full == "name":
		ok = len(text) < 64
	case full == `"char"`:
		ok = len(text) <= 1
	case t == KeyText || t == KeyPaddedText:
		ok = (limit < 0 || utf8.RuneCountInString(text) <= limit) && inCharset(c.Charset, text)
	case t == KeyInteger && loc != nil:
		ok = inRange(full, text)
	case limit >= 0 && t == KeyBytes:
		n := hex.DecodedLen(len(text))
		ok = n == limit || n < limit && !strings.HasPrefix(full, "binary")
	case limit >= 0 && t == KeyNumeric && digits >= 0:
		ok = fraction(text) <= digits && (loc == nil || whole(text) <= limit-digits && !(strings.HasPrefix(text, "-") && strings.Contains(full, "unsigned")))
	case t == KeyTimestamp || t == KeyTimestampTZ:
		if limit < 0 && loc == nil {
			limit = 6
		}
		ok = fraction(text) <= max(limit, 0) && (loc == nil || wholeMicros(v, loc))
	}
	if !ok {
		return errNotKept
	}
	return nil
}

// fraction counts the digits after the point.
func fraction(text string) int {
	_, after, _ := strings.Cut(strings.TrimSuffix(text, "Z"), ".")
	return len(after)
}

// whole counts the digits before the point.
func whole(text string) int {
	before, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return len(strings.TrimLeft(before, "0"))
}

// inRange reports whether a MySQL type holds an integer. INSERT IGNORE, and a
// server that is not strict, store the nearest that it holds.
func inRange(full, text string) bool {
	bits := 0
	for _, t := range []struct {
		name string
		bits int
	}{{"tinyint", 8}, {"smallint", 16}, {"mediumint", 24}, {"int", 32}, {"bigint", 64}} {
		if strings.HasPrefix(full, t.name) {
			bits = t.bits
		}
	}
	if bits == 0 {
		return true
	}
	if strings.Contains(full, "unsigned") {
		_, err := strconv.ParseUint(text, 10, bits)
		return err == nil
	}
	_, err := strconv.ParseInt(text, 10, bits)
	return err == nil
}

// inCharset reports whether a MySQL column of the character set holds the text: it
// may store ? for what it does not. Only the sets in wide use are looked at.
func inCharset(charset, text string) bool {
	highest, more := rune(utf8.MaxRune), ""
	switch charset {
	case "ascii":
		highest = 0x7f
	case "latin1":
		highest, more = 0xff, "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
	case "utf8", "utf8mb3", "ucs2":
		highest = 0xffff
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r > highest && !strings.ContainsRune(more, r) })
}

// wholeMicros reports whether a time has no part below a microsecond, which
// MySQL rounds and MariaDB cuts.
func wholeMicros(v any, loc *time.Location) bool {
	v, err := plain(v)
	if err != nil {
		return false
	}
	var at time.Time
	switch v := v.(type) {
	case time.Time:
		at = v
	case string, []byte:
		at, err = parseTime(textOf(v), loc)
	default:
		return false
	}
	return err == nil && at.Nanosecond()%1000 == 0
}

// zoned fails for a text that gives a point in time without its zone: the server
// would read it in the session's.
func zoned(v any) error {
	s, ok := v.(string)
	if b, isBytes := v.([]byte); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return nil
	}
	here, err := parseTime(s, time.UTC)
	there, _ := parseTime(s, time.FixedZone("", 3600))
	if err == nil && !here.Equal(there) {
		return errors.New("what point in time it is depends on the session's zone; write its own, such as Z or +01:00")
	}
	return nil
}

// members lists the values of an enum or set type.
func members(full string) []string {
	open, end := strings.Index(full, "('"), strings.LastIndex(full, "')")
	if open < 0 || end <= open {
		return nil
	}
	list := strings.Split(full[open+2:end], "','")
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], "''", "'")
	}
	return list
}

// inOrder reports whether text lists members of a set as the server writes them.
func inOrder(members []string, text string) bool {
	if text == "" {
		return true
	}
	last := -1
	for _, m := range strings.Split(text, ",") {
		i := slices.Index(members, m)
		if i <= last {
			return false
		}
		last = i
	}
	return true
}

// canonicalBytea reads the text of a bytea, in its hexadecimal or its escape form.
func canonicalBytea(s string) (string, error) {
	bad := errors.New("it is not the text of a bytea")
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		raw, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			return "", bad
		}
		return hex.EncodeToString(raw), nil
	}
	var raw []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			raw = append(raw, s[i])
		case strings.HasPrefix(s[i:], `\\`):
			raw = append(raw, '\\')
			i++
		default:
			if len(s) < i+4 {
				return "", bad
			}
			n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return "", bad
			}
			raw = append(raw, byte(n))
			i += 3
		}
	}
	return hex.EncodeToString(raw), nil
}

// room is how many bytes of a ciphertext a MySQL column holds. INSERT IGNORE, and a
// server that is not strict, cut off the rest; what is left does not open.
func room(c sqlplan.RelationColumn) (bytes int, ok bool) {
	switch name, _, _ := strings.Cut(c.Type, "("); name {
	case "tinyblob", "tinytext":
		return 1<<8 - 1, true
	case "blob", "text":
		return 1<<16 - 1, true
	case "mediumblob", "mediumtext":
		return 1<<24 - 1, true
	case "varbinary", "varchar", "char":
		if m := modifiers.FindStringSubmatch(c.Type); m != nil {
			n, err := strconv.Atoi(m[1])
			return n, err == nil
		}
	}
	return 0, false
}
