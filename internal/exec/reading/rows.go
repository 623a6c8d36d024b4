package reading

import (
	sqldriver "database/sql/driver"
	"errors"
	"io"
)

// ErrTooManyRows is returned by [All] for more rows than its limit.
var ErrTooManyRows = errors.New("too many rows")

// All copies every row, at most limit, or any number if limit is negative: the base
// driver may reuse its buffers.
func All(rows sqldriver.Rows, limit int) ([][]any, error) {
	width := len(rows.Columns())
	buf := make([]sqldriver.Value, width)
	var all [][]any
	for {
		if err := rows.Next(buf); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if len(all) == limit {
			return nil, ErrTooManyRows
		}
		row := make([]any, width)
		for i, v := range buf {
			row[i] = copied(v)
		}
		all = append(all, row)
	}
}

// copied copies bytes that may be a buffer of the base driver.
func copied(v sqldriver.Value) sqldriver.Value {
	if b, ok := v.([]byte); ok && b != nil {
		return append(make([]byte, 0, len(b)), b...)
	}
	return v
}
