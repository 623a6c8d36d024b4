package server

import "reflect"

// ColumnType is what a base driver reports of a column. The zero value reports nothing of its
// own.
type ColumnType struct {
	// ScanType is nil for the Go type of the values.
	ScanType reflect.Type
	// Length is 0 where no length is reported.
	Length int64
	// Precision is 0 where neither it nor Scale is reported.
	Precision, Scale int64
}
