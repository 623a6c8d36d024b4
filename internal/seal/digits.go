package seal

import (
	"strconv"
	"strings"
)

const (
	// longestInt64 is the length of the longest decimal text of an int64, in bytes.
	longestInt64 = len("-9223372036854775808")
	// maxDigits bounds the memory of one allocation of [Digits], in bytes.
	maxDigits = 512
)

// Digits makes the decimal texts of integers, the canonical form of integers on every
// server, several in one allocation: the key of each row of a scan is often an integer.
// A text keeps the memory of its neighbours alive. The zero value is ready. It is not safe
// for concurrent use.
type Digits struct{ texts strings.Builder }

func (d *Digits) text(n int64) string {
	if had := d.texts.Cap(); had-d.texts.Len() < longestInt64 {
		d.texts = strings.Builder{}
		d.texts.Grow(min(maxDigits, max(2*had, longestInt64)))
	}
	var digits [longestInt64]byte
	at := d.texts.Len()
	d.texts.Write(strconv.AppendInt(digits[:0], n, 10))
	return d.texts.String()[at:]
}
