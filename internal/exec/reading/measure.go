package reading

import (
	sqldriver "database/sql/driver"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// measured is the length of an opened value, in what m counts.
func measured(m sqlplan.Measure, value sqldriver.Value) sqldriver.Value {
	var chars, bytes int
	switch v := value.(type) {
	case string:
		chars, bytes = utf8.RuneCountInString(v), len(v)
	case []byte:
		chars, bytes = utf8.RuneCount(v), len(v)
	default:
		return value
	}
	switch m {
	case sqlplan.MeasureChars:
		return int64(chars)
	case sqlplan.MeasureBits:
		return 8 * int64(bytes)
	}
	return int64(bytes)
}
