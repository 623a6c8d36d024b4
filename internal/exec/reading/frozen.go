package reading

import (
	sqldriver "database/sql/driver"
	"io"
	"reflect"
)

// Frozen keeps the metadata of rows' columns. A base driver may forget it when the rows
// are closed or the connection does something else.
type Frozen struct {
	base    sqldriver.Rows
	columns []frozenColumn
	names   []string
}

type frozenColumn struct {
	scanType         reflect.Type
	typeName         string
	length           int64
	nullable         bool
	precision, scale int64

	hasLength, hasNullable, hasPrecision bool
}

// Freeze asks base, which must not be closed yet, for all its metadata.
func Freeze(base sqldriver.Rows) *Frozen {
	f := &Frozen{base: base, names: append([]string(nil), base.Columns()...)}
	f.columns = make([]frozenColumn, len(f.names))
	for i := range f.columns {
		c := &f.columns[i]
		if x, ok := base.(sqldriver.RowsColumnTypeScanType); ok {
			c.scanType = x.ColumnTypeScanType(i)
		}
		if x, ok := base.(sqldriver.RowsColumnTypeDatabaseTypeName); ok {
			c.typeName = x.ColumnTypeDatabaseTypeName(i)
		}
		if x, ok := base.(sqldriver.RowsColumnTypeLength); ok {
			c.length, c.hasLength = x.ColumnTypeLength(i)
		}
		if x, ok := base.(sqldriver.RowsColumnTypeNullable); ok {
			c.nullable, c.hasNullable = x.ColumnTypeNullable(i)
		}
		if x, ok := base.(sqldriver.RowsColumnTypePrecisionScale); ok {
			c.precision, c.scale, c.hasPrecision = x.ColumnTypePrecisionScale(i)
		}
	}
	return f
}

// Base returns the base driver's rows.
func (f *Frozen) Base() sqldriver.Rows { return f.base }

// Unwrap returns the base driver's rows.
func (f *Frozen) Unwrap() any { return f.base }

func (f *Frozen) Columns() []string            { return f.names }
func (f *Frozen) Close() error                 { return nil }
func (f *Frozen) Next([]sqldriver.Value) error { return io.EOF }
func (f *Frozen) HasNextResultSet() bool       { return false }
func (f *Frozen) NextResultSet() error         { return io.EOF }

func (f *Frozen) ColumnTypeScanType(i int) reflect.Type { return f.columns[i].scanType }

func (f *Frozen) ColumnTypeDatabaseTypeName(i int) string { return f.columns[i].typeName }

func (f *Frozen) ColumnTypeLength(i int) (int64, bool) {
	return f.columns[i].length, f.columns[i].hasLength
}

func (f *Frozen) ColumnTypeNullable(i int) (nullable, ok bool) {
	return f.columns[i].nullable, f.columns[i].hasNullable
}

func (f *Frozen) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return f.columns[i].precision, f.columns[i].scale, f.columns[i].hasPrecision
}
