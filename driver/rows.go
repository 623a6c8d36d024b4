package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"io"
	"reflect"
	"slices"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rows wraps the base driver's rows of a statement that shows protected
// values: it opens them, and strips the columns that the plan added. As with conn,
// the optional interfaces are on the types below.
//
// Go 1.27's driver.RowsColumnScanner hands values to Scan without Next; rows
// never has it, whatever the base has, so that no ciphertext passes by that way.
type rows struct {
	base   sqldriver.Rows
	reader reader
	sets   []sqlplan.ResultSet
	at     int // the result set in hand

	names   []string
	visible []int // by visible column, the server's column
	room    rowsRoom
}

// rowsRoom is where a narrow result's columns lie. What is opened in the background,
// and the caller, may go on referring to it: it serves the first set that needs it.
type rowsRoom struct {
	used    bool
	names   [narrow]string
	visible [narrow]int
	shown   [1]shown
	at      [narrow]int
}

type (
	rowsNextSet   rows
	rowsScanType  rows
	rowsTypeName  rows
	rowsLength    rows
	rowsNullable  rows
	rowsPrecision rows
)

var (
	_ sqldriver.Rows              = (*rows)(nil)
	_ sqldriver.RowsNextResultSet = struct {
		*rows
		*rowsNextSet
	}{}
	_ sqldriver.RowsColumnTypeScanType = struct {
		*rows
		*rowsScanType
	}{}
	_ sqldriver.RowsColumnTypeDatabaseTypeName = struct {
		*rows
		*rowsTypeName
	}{}
	_ sqldriver.RowsColumnTypeLength = struct {
		*rows
		*rowsLength
	}{}
	_ sqldriver.RowsColumnTypeNullable = struct {
		*rows
		*rowsNullable
	}{}
	_ sqldriver.RowsColumnTypePrecisionScale = struct {
		*rows
		*rowsPrecision
	}{}
)

func wrapRows(ctx context.Context, base sqldriver.Rows, e *engine, sets []sqlplan.ResultSet, text string) sqldriver.Rows {
	return wrapBuffered(ctx, base, nil, e, sets, text)
}

// wrapBuffered wraps rows that were read already; base, which is closed,
// serves their metadata. With no buffer it reads from base.
func wrapBuffered(ctx context.Context, base sqldriver.Rows, buffer [][]any, e *engine, sets []sqlplan.ResultSet, text string) sqldriver.Rows {
	r := &rows{base: base, sets: sets}
	r.reader = reader{ctx: ctx, engine: e, text: text, base: base}
	if buffer != nil {
		r.reader.next = fromBuffer(buffer)
	}
	r.enter()
	if f, ok := base.(*frozenRows); ok {
		base = f.base // its interfaces are what counts
	}
	_, nextSet := base.(sqldriver.RowsNextResultSet)
	_, scanType := base.(sqldriver.RowsColumnTypeScanType)
	_, typeName := base.(sqldriver.RowsColumnTypeDatabaseTypeName)
	_, length := base.(sqldriver.RowsColumnTypeLength)
	_, nullable := base.(sqldriver.RowsColumnTypeNullable)
	_, precision := base.(sqldriver.RowsColumnTypePrecisionScale)
	return combineRows(r, bits(nextSet, scanType, typeName, length, nullable, precision))
}

func fromBuffer(buffer [][]any) func([]sqldriver.Value) error {
	i := 0
	return func(dest []sqldriver.Value) error {
		if i == len(buffer) {
			return io.EOF
		}
		for j, v := range buffer[i] {
			dest[j] = v
		}
		i++
		return nil
	}
}

// fits reports whether the result has the columns that the plan expects.
func fits(base sqldriver.Rows, set *sqlplan.ResultSet) bool {
	if len(set.Columns) == 0 {
		return true
	}
	names := base.Columns()
	if len(names) != len(set.Columns) {
		return false
	}
	for i, c := range set.Columns {
		if c.Name != "" && c.Name != names[i] {
			return false
		}
	}
	return true
}

// set returns the description of the result set in hand, or nil if nothing in
// it is protected.
func (r *rows) set() *sqlplan.ResultSet {
	if r.at >= len(r.sets) || !r.sets[r.at].Protected {
		return nil
	}
	return &r.sets[r.at]
}

// enter sets up the columns of the result set in hand.
func (r *rows) enter() {
	names := r.base.Columns()
	set := r.set()
	var room *rowsRoom
	if set != nil && !r.room.used {
		room = &r.room
		room.used = true
	}
	r.reader.reset(set, len(names), room)
	if r.names, r.visible = names, nil; set == nil {
		return
	}
	if room != nil {
		r.names, r.visible = room.names[:0], room.visible[:0]
	} else {
		r.names, r.visible = make([]string, 0, len(names)), make([]int, 0, len(names))
	}
	for i, c := range set.Columns {
		if !c.Hidden {
			r.names = append(r.names, names[i])
			r.visible = append(r.visible, i)
		}
	}
}

// Unwrap returns the base driver's rows.
func (r *rows) Unwrap() any { return r.base }

func (r *rows) Columns() []string { return slices.Clip(r.names) }

func (r *rows) Close() error {
	r.reader.stop()
	return r.base.Close()
}

func (r *rows) Next(dest []sqldriver.Value) error {
	if r.visible == nil {
		return r.reader.fetch(dest)
	}
	row, err := r.reader.row()
	if err != nil {
		return err
	}
	for i, from := range r.visible {
		dest[i] = row[from]
	}
	return nil
}

// server returns the server's column for a visible one.
func (r *rows) server(i int) int {
	if r.visible == nil {
		return i
	}
	return r.visible[i]
}

// protected returns the protected column that a visible column shows, or nil.
func (r *rows) protected(i int) *column {
	set := r.set()
	if set == nil {
		return nil
	}
	if p := set.Columns[r.visible[i]].Protected; p != nil {
		return r.reader.engine.columns[p.Column]
	}
	return nil
}

func (r *rowsNextSet) HasNextResultSet() bool {
	return r.base.(sqldriver.RowsNextResultSet).HasNextResultSet()
}

func (r *rowsNextSet) NextResultSet() error {
	if err := r.base.(sqldriver.RowsNextResultSet).NextResultSet(); err != nil {
		return err
	}
	r.at++
	if rs := (*rows)(r); rs.set() != nil && !fits(r.base, rs.set()) {
		r.reader.engine.tablesChanged()
		r.reader.next = func([]sqldriver.Value) error { return ErrTableChanged }
		r.at = len(r.sets)
	}
	(*rows)(r).enter()
	return nil
}

func (r *rowsScanType) ColumnTypeScanType(i int) reflect.Type {
	if c := (*rows)(r).protected(i); c != nil {
		return scanType(c.typ)
	}
	return r.base.(sqldriver.RowsColumnTypeScanType).ColumnTypeScanType((*rows)(r).server(i))
}

func (r *rowsTypeName) ColumnTypeDatabaseTypeName(i int) string {
	if c := (*rows)(r).protected(i); c != nil {
		return r.reader.engine.server.TypeName(string(c.typ))
	}
	return r.base.(sqldriver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName((*rows)(r).server(i))
}

func (r *rowsLength) ColumnTypeLength(i int) (int64, bool) {
	if (*rows)(r).protected(i) != nil {
		return 0, false
	}
	return r.base.(sqldriver.RowsColumnTypeLength).ColumnTypeLength((*rows)(r).server(i))
}

func (r *rowsNullable) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.base.(sqldriver.RowsColumnTypeNullable).ColumnTypeNullable((*rows)(r).server(i))
}

func (r *rowsPrecision) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if (*rows)(r).protected(i) != nil {
		return 0, 0, false
	}
	return r.base.(sqldriver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale((*rows)(r).server(i))
}

// noRows is what a query that returns no result set yields.
type noRows struct{}

func (noRows) Columns() []string            { return nil }
func (noRows) Close() error                 { return nil }
func (noRows) Next([]sqldriver.Value) error { return io.EOF }
