package sealpgx

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/exec/reading"
)

// fetched are pgx's rows as routes and readers take them: each column's value as
// database/sql's drivers give it, and the row's raw values beside them. The first row is
// read at once, so that an error of the server's shows before rows are handed out.
type fetched struct {
	rows   pgx.Rows
	types  *pgtype.Map
	fields []pgconn.FieldDescription
	names  []string
	// wanted says which columns are read as values; nil means all.
	wanted []bool
	// reader reads the rows; nil if a route does. lends is true if each row is handed out
	// before another is read, whatever the reader.
	reader *reading.Reader
	lends  bool
	// sent are the raw values of the last row that was not copied.
	sent raw
	// narrow holds names of a narrow result.
	narrow [narrow]string
	// pending is true while the first row waits, and more says whether there is one.
	pending, more bool
	// failed is true if the server took the text and failed before the first row.
	failed bool
	// keeps has kept hold the raw values of each row.
	keeps bool
	kept  []*raw
}

// raw are the values of a row as the server sent them.
type raw [][]byte

var _ sqldriver.Rows = (*fetched)(nil)

// send sends a text and reads the first row.
func (c *conn) send(ctx context.Context, text string, args []any) (*fetched, error) {
	f := new(fetched)
	return f, f.send(ctx, c, text, args)
}

// send sends a text and reads the first row.
func (f *fetched) send(ctx context.Context, c *conn, text string, args []any) error {
	rows, err := c.base.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	return f.fetch(rows, c.base.TypeMap())
}

// fetch reads the first row.
func (f *fetched) fetch(rows pgx.Rows, types *pgtype.Map) error {
	f.rows, f.types, f.pending, f.more = rows, types, true, rows.Next()
	if err := rows.Err(); err != nil {
		rows.Close()
		f.failed = true
		return err
	}
	f.fields, f.names = rows.FieldDescriptions(), f.narrow[:0]
	for i := range f.fields {
		f.names = append(f.names, f.fields[i].Name)
	}
	return nil
}

// want has a column read as a value; a negative number is none.
func (f *fetched) want(column int) {
	if column >= 0 {
		f.wanted[column] = true
	}
}

// Columns implements driver.Rows.
func (f *fetched) Columns() []string { return f.names }

// Close implements driver.Rows.
func (f *fetched) Close() error {
	f.rows.Close()
	return f.rows.Err()
}

// step goes to the next row. first is true for the first one.
func (f *fetched) step() (first bool, err error) {
	more := f.more
	if first = f.pending; first {
		f.pending = false
	} else {
		more = f.rows.Next()
	}
	if more {
		return first, nil
	}
	if err := f.rows.Err(); err != nil {
		return first, err
	}
	return first, io.EOF
}

// Next implements driver.Rows. If dest has one more place than there are columns, that
// takes the row's raw values, as a *raw. Those of a row that is handed out at once lie in
// pgx's buffers, which are valid until the next call; others are copies.
func (f *fetched) Next(dest []sqldriver.Value) error {
	first, err := f.step()
	if err != nil {
		return err
	}
	values := f.rows.RawValues()
	for i := range f.fields {
		dest[i] = nil
		if f.wanted == nil || f.wanted[i] {
			if dest[i], err = f.value(i, values[i]); err != nil {
				return err
			}
		}
	}
	switch {
	case f.keeps:
		f.kept = append(f.kept, copied(values))
	case len(dest) == len(f.fields):
	case first || f.lends || f.reader != nil && f.reader.Direct():
		f.sent = values
		dest[len(f.fields)] = &f.sent
	default:
		dest[len(f.fields)] = copied(values)
	}
	return nil
}

// copied copies the values of a row into one piece of memory.
func copied(values [][]byte) *raw {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	out, all := make(raw, len(values)), make([]byte, 0, size)
	for i, v := range values {
		if v == nil {
			continue
		}
		all = append(all, v...)
		out[i] = all[len(all)-len(v) : len(all) : len(all)]
	}
	return &out
}

// opaque stands for a value that no driver.Value stands for, such as an array. Nothing
// can be bound to it.
type opaque struct{}

// value reads a raw value as pgx's driver for database/sql does.
func (f *fetched) value(i int, v []byte) (sqldriver.Value, error) {
	if v == nil {
		return nil, nil
	}
	field := &f.fields[i]
	switch {
	case field.DataTypeOID == pgtype.TextOID || field.DataTypeOID == pgtype.VarcharOID:
		return string(v), nil
	case field.DataTypeOID == pgtype.ByteaOID && field.Format == pgx.BinaryFormatCode:
		return v, nil // readers and routes copy what they keep
	case field.DataTypeOID == pgtype.Int8OID && field.Format == pgx.BinaryFormatCode && len(v) == 8:
		return int64(binary.BigEndian.Uint64(v)), nil
	}
	t, known := f.types.TypeForOID(field.DataTypeOID)
	if !known {
		if field.Format == pgx.TextFormatCode {
			return string(v), nil
		}
		return opaque{}, nil
	}
	out, err := f.decode(t, field, v)
	if err != nil && f.keeps {
		return opaque{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sealpgx: result column %q of the type %s cannot be read", field.Name, t.Name) // err may quote the value
	}
	return out, nil
}

// decode is what pgx's driver for database/sql shows. That asks for ranges as text; here
// they may come in binary, which pgx would show as bytes.
func (f *fetched) decode(t *pgtype.Type, field *pgconn.FieldDescription, v []byte) (sqldriver.Value, error) {
	c, isRange := t.Codec.(*pgtype.RangeCodec)
	if !isRange || field.Format != pgx.BinaryFormatCode {
		return t.Codec.DecodeDatabaseSQLValue(f.types, field.DataTypeOID, field.Format, v)
	}
	value, err := c.DecodeValue(f.types, field.DataTypeOID, field.Format, v)
	if err != nil {
		return nil, err
	}
	r, ok := value.(pgtype.Range[any])
	if !ok {
		return opaque{}, nil
	}
	return f.rangeText(c.ElementType, r)
}

// rangeText writes a range as Postgres does, but for quotes that no bound of a built-in
// range needs.
func (f *fetched) rangeText(bound *pgtype.Type, r pgtype.Range[any]) (string, error) {
	if r.LowerType == pgtype.Empty {
		return "empty", nil
	}
	text := []byte("(")
	if r.LowerType == pgtype.Inclusive {
		text[0] = '['
	}
	for i, b := range [2]any{r.Lower, r.Upper} {
		if i == 1 {
			text = append(text, ',')
		}
		if [2]pgtype.BoundType{r.LowerType, r.UpperType}[i] == pgtype.Unbounded {
			continue
		}
		var err error
		if text, err = f.types.Encode(bound.OID, pgx.TextFormatCode, b, text); err != nil {
			return "", err
		}
	}
	if r.UpperType == pgtype.Inclusive {
		return string(append(text, ']')), nil
	}
	return string(append(text, ')')), nil
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName, but for the
// letters' case.
func (f *fetched) ColumnTypeDatabaseTypeName(i int) string {
	if t, ok := f.types.TypeForOID(f.fields[i].DataTypeOID); ok {
		return t.Name
	}
	return ""
}
