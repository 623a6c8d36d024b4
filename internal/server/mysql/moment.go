package mysql

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// moment is a date or wall clock as a column holds it. It may be no day of the
// calendar: the servers store zero dates such as 2024-00-00.
type moment struct {
	year, month, day, hour, minute, second int
	nanos                                  int
}

var (
	errNoMoment = errors.New("it is not a date or time in a form like 2006-01-02 15:04:05")
	errZone     = errors.New("it has a zone, and its column has none; leave the zone out")
	errYear     = errors.New("its year is outside 1 to 9999")
	errLocation = errors.New("the zone that the base driver writes a time.Time in is unknown; pass the value as text, or set parseTime=true")
)

// readMoment reads a text in the servers' own spelling, with a space or a T between
// date and time, and with one digit or two where they write two; or a date of eight digits.
// Other spellings that the servers take are errors.
func readMoment(s string) (m moment, err error) {
	date, clock := strings.TrimSpace(s), ""
	if at := strings.IndexAny(date, " T"); at >= 0 {
		date, clock = date[:at], date[at+1:]
		if clock == "" {
			return m, errNoMoment
		}
	}
	if len(date) == len("20060102") && len(s) == len(date) && strings.IndexByte(date, '-') < 0 {
		date = date[:4] + "-" + date[4:6] + "-" + date[6:]
	}
	if !fields(date, '-', []int{4, 2, 2}, &m.year, &m.month, &m.day) {
		return m, errNoMoment
	}
	clock, fraction, hasFraction := strings.Cut(clock, ".")
	switch {
	case clock == "" && !hasFraction:
		return m, m.check()
	case strings.ContainsAny(clock+fraction, "Z+-"):
		return m, errZone
	case !hasFraction && fields(clock, ':', []int{2, 2}, &m.hour, &m.minute):
		return m, m.check()
	case !fields(clock, ':', []int{2, 2, 2}, &m.hour, &m.minute, &m.second):
		return m, errNoMoment
	}
	if !hasFraction {
		return m, m.check()
	}
	if len(fraction) == 0 || len(fraction) > 9 || !fields(fraction+strings.Repeat("0", 9-len(fraction)), '.', []int{9}, &m.nanos) {
		return m, errNoMoment
	}
	return m, m.check()
}

// fields reads numbers between separators. Where two digits are asked one is enough.
func fields(s string, separator byte, widths []int, into ...*int) bool {
	for i, width := range widths {
		if i > 0 {
			if s == "" || s[0] != separator {
				return false
			}
			s = s[1:]
		}
		if width == 2 && (len(s) == 1 || len(s) > 1 && s[1] == separator) {
			width = 1
		}
		if len(s) < width {
			return false
		}
		n := 0
		for _, c := range []byte(s[:width]) {
			if c < '0' || c > '9' {
				return false
			}
			n = 10*n + int(c-'0')
		}
		*into[i], s = n, s[width:]
	}
	return s == ""
}

func (m moment) check() error {
	if m.month > 12 || m.day > 31 || m.hour > 23 || m.minute > 59 || m.second > 59 {
		return errNoMoment
	}
	return nil
}

// canonical writes the date, or the date and the time without zeros at the end of
// its fraction.
func (m moment) canonical(t server.KeyType) string {
	date := fmt.Sprintf("%04d-%02d-%02d", m.year, m.month, m.day)
	if t == server.KeyDate {
		return date
	}
	text := fmt.Sprintf("%sT%02d:%02d:%02d", date, m.hour, m.minute, m.second)
	if m.nanos > 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", m.nanos), "0")
	}
	return text
}

func (w values) location() *time.Location {
	if w.wire.Location == nil {
		return time.UTC
	}
	return w.wire.Location
}

// written is the wall clock that the driver writes for a point in time.
func (w values) written(at time.Time) (moment, error) {
	if at.IsZero() { // the driver writes '0000-00-00'
		return moment{}, nil
	}
	if w.wire.Unknown {
		return moment{}, errLocation
	}
	if at = at.In(w.location()); w.wire.Truncate > 0 {
		at = at.Truncate(w.wire.Truncate)
	}
	if at.Year() < 1 || at.Year() > 9999 {
		return moment{}, errYear
	}
	return moment{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond()}, nil
}

// stored reports whether a column with that many digits of fractional seconds holds
// the moment as it is under the sql_mode. The servers round or cut fractions; a date
// that the mode forbids they reject, or store as 0000-00-00.
func (m moment) stored(t server.KeyType, digits int, mode string) bool {
	unit := 1_000_000_000
	for range max(digits, 0) {
		unit /= 10
	}
	switch {
	case t == server.KeyDate && m.hour == 23 && m.minute == 59 && m.second == 59 && m.nanos >= 500_000_000:
		return false // MySQL may round to the next day
	case t != server.KeyDate && m.nanos%unit != 0:
		return false
	case m.month == 0 && m.day == 0 && m.year == 0:
		return m == moment{} || t == server.KeyDate
	case m.month == 0 || m.day == 0:
		return !strings.Contains(mode, "NO_ZERO_IN_DATE")
	}
	day := time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC)
	return day.Day() == m.day || strings.Contains(mode, "ALLOW_INVALID_DATES")
}

// Moment implements [server.Values]. A text without a zone is a wall clock of the
// driver's zone, and so is the day of a time.Time.
func (w values) Moment(t policy.ValueType, v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return v, nil
		}
		m, err := w.written(v)
		switch {
		case err != nil:
			return nil, err
		case t == policy.TypeDate:
			return m.canonical(server.KeyDate), nil
		case w.wire.Truncate > 0:
			return v.In(w.location()).Truncate(w.wire.Truncate), nil
		}
	case string, []byte:
		if t == policy.TypeDate || w.wire.Location == nil && !w.wire.Unknown {
			return v, nil
		}
		m, err := readMoment(server.TextOf(v))
		if err != nil {
			return v, nil // it has a zone, or is rejected later
		}
		if w.wire.Unknown {
			return nil, errLocation
		}
		return time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, m.nanos, w.location()), nil
	}
	return v, nil
}

// ShowsBytes implements [server.Values]. Without a session, as over a mocked connection,
// text is shown as a string.
func (w values) ShowsBytes(policy.ValueType) bool { return w.wire.Location != nil }

// Show implements [server.Values]. Without a session a value is shown as it is. A bool
// is a TINYINT.
func (w values) Show(t policy.ValueType, v any) any {
	if w.wire.Location == nil {
		return v
	}
	switch v := v.(type) {
	case time.Time:
		return w.showMoment(t, v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	}
	return v
}

func (w values) showMoment(t policy.ValueType, at time.Time) any {
	switch {
	case t == policy.TypeDate && w.wire.ParsesTime:
		return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, w.location())
	case t == policy.TypeDate:
		return []byte(at.Format(server.LayoutDate))
	case w.wire.ParsesTime:
		return at.In(w.location())
	}
	return []byte(at.In(w.location()).Format("2006-01-02 15:04:05.999999999"))
}
