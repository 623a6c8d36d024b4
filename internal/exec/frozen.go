package exec

import (
	sqldriver "database/sql/driver"
	"io"
	"reflect"
)

// frozenRows keeps what rows say of their columns. A base driver may forget it
// when the rows are closed, or when the connection does something else.
type frozenRows struct {
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

// freeze asks base, which must not be closed yet, for everything it offers.
func freeze(base sqldriver.Rows) *frozenRows {
	f := &frozenRows{base: base, names: append([]string(nil), base.Columns()...)}
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

// Unwrap returns the base driver's rows.
func (f *frozenRows) Unwrap() any { return f.base }

func (f *frozenRows) Columns() []string            { return f.names }
func (f *frozenRows) Close() error                 { return nil }
func (f *frozenRows) Next([]sqldriver.Value) error { return io.EOF }
func (f *frozenRows) HasNextResultSet() bool       { return false }
func (f *frozenRows) NextResultSet() error         { return io.EOF }

func (f *frozenRows) ColumnTypeScanType(i int) reflect.Type { return f.columns[i].scanType }

func (f *frozenRows) ColumnTypeDatabaseTypeName(i int) string { return f.columns[i].typeName }

func (f *frozenRows) ColumnTypeLength(i int) (int64, bool) {
	return f.columns[i].length, f.columns[i].hasLength
}

func (f *frozenRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return f.columns[i].nullable, f.columns[i].hasNullable
}

func (f *frozenRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return f.columns[i].precision, f.columns[i].scale, f.columns[i].hasPrecision
}
