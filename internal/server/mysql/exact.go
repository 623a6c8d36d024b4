package mysql

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// CheckExact implements [server.Values]: the servers round times and numbers, cut
// trailing spaces, pad bytes, and take members of an enumeration in any case or by
// number. It has a branch for each family of column types.
//
//gocyclo:ignore
func (w values) CheckExact(c *server.Column, v any, text string) error {
	full := strings.ToLower(c.Full)
	limit, digits := server.Modifiers(full)
	ok := true
	switch {
	case full == "":
	case strings.HasPrefix(full, "enum"):
		ok = slices.Contains(members(c.Full), text)
	case strings.HasPrefix(full, "set"):
		ok = inOrder(members(c.Full), text)
	case strings.HasPrefix(full, "year"):
		ok = len(text) == 4 || text == "0" && !shortText(v)
	case c.Key == server.KeyText || c.Key == server.KeyPaddedText:
		ok = (limit < 0 || utf8.RuneCountInString(text) <= limit) && inCharset(c.Charset, text)
	case c.Key == server.KeyInteger:
		ok = inRange(full, text)
	case limit >= 0 && c.Key == server.KeyBytes:
		n := hex.DecodedLen(len(text))
		ok = n == limit || n < limit && !strings.HasPrefix(full, "binary")
	case limit >= 0 && c.Key == server.KeyNumeric:
		ok = server.FractionDigits(text) <= digits && server.WholeDigits(text) <= limit-digits && !(strings.HasPrefix(text, "-") && strings.Contains(full, "unsigned"))
	case wallClock(c.Key):
		ok = w.keepsMoment(c.Key, v, limit)
	}
	if !ok {
		return server.ErrNotExact
	}
	return nil
}

// shortText reports whether v is a text of less than four characters: a YEAR given as
// the text 0 is 2000, as a number 0000.
func shortText(v any) bool {
	v, err := server.Plain(v)
	if err != nil {
		return true
	}
	switch v.(type) {
	case string, []byte:
		return len(server.TextOf(v)) < 4
	}
	return false
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

// keepsMoment reports whether a column holds the date or time that is given.
func (w values) keepsMoment(t server.KeyType, v any, digits int) bool {
	v, err := server.Plain(v)
	if err != nil {
		return false
	}
	var m moment
	switch v := v.(type) {
	case time.Time:
		m, err = w.written(v)
	case string, []byte:
		m, err = readMoment(server.TextOf(v))
	default:
		return false
	}
	return err == nil && m.stored(t, digits, w.mode)
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

// Capacity implements [server.Server]. INSERT IGNORE, and a server that is not
// strict, cut off what a column does not hold; what is left does not open.
func (Server) Capacity(c sqlplan.RelationColumn) (bytes int, limited bool) {
	switch name, _, _ := strings.Cut(c.Type, "("); name {
	case "tinyblob", "tinytext":
		return 1<<8 - 1, true
	case "blob", "text":
		return 1<<16 - 1, true
	case "mediumblob", "mediumtext":
		return 1<<24 - 1, true
	case "varbinary", "varchar", "char":
		n, _ := server.Modifiers(c.Type)
		return n, n >= 0
	}
	return 0, false
}

// BinaryType implements [server.Server].
func (Server) BinaryType() string { return "blob" }

// StorageAdvice implements [server.Server].
func (Server) StorageAdvice(c sqlplan.RelationColumn) (fact, hint string) {
	if width, _ := server.Modifiers(c.Type); width > 0 && strings.HasPrefix(c.Type, "varchar") {
		return "a wide VARCHAR counts against MySQL's row size of 65,535 bytes", "TEXT lies outside it"
	}
	return "", ""
}
