package driver

import (
	"cmp"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"io"
	"reflect"
	"slices"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rows wraps the base driver's rows of a statement that shows protected
// values: it opens them, and strips the columns that the plan added. As with conn,
// the optional interfaces are on the types below.
//
// Go 1.27's driver.RowsColumnScanner hands values to Scan without Next; rows
// never has it, whatever the base has, so that no ciphertext passes by that way.
type rows struct {
	base    sqldriver.Rows
	engine  *exec.Engine // opens the values
	text    string
	reader  reading.Reader
	sets    []sqlplan.ResultSet
	current int // index into sets of the result set in hand

	names   []string
	visible []int // by visible column, the server's column
	storage rowsStorage
}

// rowsStorage holds the columns of a narrow result. The caller may refer to it later, so
// it serves the first result set only.
type rowsStorage struct {
	used    bool
	names   [reading.Narrow]string
	visible [reading.Narrow]int
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

// wrapRows wraps the rows of an answer. If they were read already, the base rows are
// closed and serve their columns' metadata.
func wrapRows(ctx context.Context, a *exec.Answer, text string) sqldriver.Rows {
	r := &rows{base: a.Rows, engine: a.Engine, text: text, sets: a.Sets}
	r.reader.Init(ctx, a.Source(text))
	r.enter()
	base := a.Offers()
	_, nextSet := base.(sqldriver.RowsNextResultSet)
	_, scanType := base.(sqldriver.RowsColumnTypeScanType)
	_, typeName := base.(sqldriver.RowsColumnTypeDatabaseTypeName)
	_, length := base.(sqldriver.RowsColumnTypeLength)
	_, nullable := base.(sqldriver.RowsColumnTypeNullable)
	_, precision := base.(sqldriver.RowsColumnTypePrecisionScale)
	return combineRows(r, bits(nextSet, scanType, typeName, length, nullable, precision))
}

// set returns the description of the result set in hand, or nil if nothing in
// it is protected.
func (r *rows) set() *sqlplan.ResultSet {
	if r.current >= len(r.sets) || !r.sets[r.current].Protected {
		return nil
	}
	return &r.sets[r.current]
}

// enter sets up the columns of the result set in hand.
func (r *rows) enter() {
	names := r.base.Columns()
	set := r.set()
	var storage *rowsStorage
	if set != nil && !r.storage.used {
		storage = &r.storage
		storage.used = true
	}
	r.reader.Enter(r.current, set, len(names))
	if r.names, r.visible = names, nil; set == nil {
		return
	}
	if storage != nil {
		r.names, r.visible = storage.names[:0], storage.visible[:0]
	} else {
		r.names, r.visible = make([]string, 0, len(names)), make([]int, 0, len(names))
	}
	for i, c := range set.Columns {
		if !c.Hidden {
			r.names = append(r.names, cmp.Or(c.Shown, names[i]))
			r.visible = append(r.visible, i)
		}
	}
}

// Unwrap returns the base driver's rows.
func (r *rows) Unwrap() any { return r.base }

func (r *rows) Columns() []string { return slices.Clip(r.names) }

func (r *rows) Close() error {
	r.reader.Stop()
	return r.base.Close()
}

func (r *rows) Next(dest []sqldriver.Value) error {
	if r.visible == nil {
		return r.failed(r.reader.Fetch(dest))
	}
	row, err := r.reader.Row()
	if err != nil {
		return r.failed(err)
	}
	for i, from := range r.visible {
		dest[i] = row[from]
	}
	return nil
}

// failed names protected columns in an error that the rows end in.
func (r *rows) failed(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return r.engine.Named(context.Background(), r.text, err)
}

// server returns the server's column for a visible one.
func (r *rows) server(i int) int {
	if r.visible == nil {
		return i
	}
	return r.visible[i]
}

// retyped returns the protected column that a visible column shows in another type than
// the server's, or nil.
func (r *rows) retyped(i int) *seal.Column {
	if c := r.protected(i); c != nil && !c.KeepsType() {
		return c
	}
	return nil
}

// protected returns the protected column that a visible column shows, or nil.
func (r *rows) protected(i int) *seal.Column {
	if p := r.planned(i); p != nil {
		return r.engine.Column(p.Column)
	}
	return nil
}

// reported is what a column in clear would report in the place of one that is retyped.
func (r *rows) reported(i int) server.ColumnType {
	if r.length(i) != sqlplan.MeasureNone {
		return r.engine.ColumnType(server.LengthType)
	}
	return r.engine.ColumnType(string(r.protected(i).Type))
}

// length is what a visible column shows of protected values.
func (r *rows) length(i int) sqlplan.Measure {
	if p := r.planned(i); p != nil {
		return p.Measure
	}
	return sqlplan.MeasureNone
}

// planned is what the plan says of a visible column that shows protected values, or nil.
func (r *rows) planned(i int) *sqlplan.ResultProtected {
	if set := r.set(); set != nil {
		return set.Columns[r.visible[i]].Protected
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
	r.current++
	if rs := (*rows)(r); rs.set() != nil && !exec.Fits(r.base, rs.set()) {
		r.engine.TablesChanged()
		r.reader.Fail(ErrTableChanged)
		r.current = len(r.sets)
	}
	(*rows)(r).enter()
	return nil
}

func (r *rowsScanType) ColumnTypeScanType(i int) reflect.Type {
	if c := (*rows)(r).retyped(i); c != nil {
		nullable := false
		if base, ok := r.base.(sqldriver.RowsColumnTypeNullable); ok {
			nullable, _ = base.ColumnTypeNullable((*rows)(r).server(i))
		}
		switch {
		case (*rows)(r).length(i) == sqlplan.MeasureNone:
			if t := r.engine.ColumnType(string(c.Type)).ScanType; t != nil {
				return t
			}
			return c.ScanType(r.engine.Values(), nullable)
		case nullable:
			return reflect.TypeFor[sql.NullInt64]()
		}
		return reflect.TypeFor[int32]()
	}
	return r.base.(sqldriver.RowsColumnTypeScanType).ColumnTypeScanType((*rows)(r).server(i))
}

func (r *rowsTypeName) ColumnTypeDatabaseTypeName(i int) string {
	if (*rows)(r).length(i) != sqlplan.MeasureNone {
		return r.engine.TypeName(server.LengthType)
	}
	if c := (*rows)(r).retyped(i); c != nil {
		return r.engine.TypeName(string(c.Type))
	}
	return r.base.(sqldriver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName((*rows)(r).server(i))
}

func (r *rowsLength) ColumnTypeLength(i int) (int64, bool) {
	if (*rows)(r).retyped(i) != nil {
		length := (*rows)(r).reported(i).Length
		return length, length > 0
	}
	return r.base.(sqldriver.RowsColumnTypeLength).ColumnTypeLength((*rows)(r).server(i))
}

func (r *rowsNullable) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.base.(sqldriver.RowsColumnTypeNullable).ColumnTypeNullable((*rows)(r).server(i))
}

func (r *rowsPrecision) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if (*rows)(r).retyped(i) != nil {
		reported := (*rows)(r).reported(i)
		return reported.Precision, reported.Scale, reported.Precision > 0
	}
	return r.base.(sqldriver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale((*rows)(r).server(i))
}
