package postgres

import (
	sqldriver "database/sql/driver"
	"errors"
	"reflect"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/server"
)

// arrays are the types as which pgx encodes an array for a column.
var arrays = map[server.KeyType]uint32{
	server.KeyText: pgtype.TextArrayOID, server.KeyPaddedText: pgtype.BPCharArrayOID, server.KeyInteger: pgtype.Int8ArrayOID,
	server.KeyNumeric: pgtype.NumericArrayOID, server.KeyBool: pgtype.BoolArrayOID, server.KeyUUID: pgtype.UUIDArrayOID, server.KeyBytes: pgtype.ByteaArrayOID,
}

// Elements implements [server.Values]. What pgx makes of an argument for an array
// column is read again as an array of texts: a slice of any type, an array of pgtype,
// and a Valuer that writes an array's text, as pq.Array does, are one to it.
func (w values) Elements(t server.KeyType, v any) (elements []any, null bool, err error) {
	if valuer, ok := v.(sqldriver.Valuer); ok {
		if v, err = valueOf(valuer); err != nil {
			return nil, false, err
		}
	}
	if v == nil {
		return nil, true, nil
	}
	oid, known := arrays[t]
	var text []byte
	switch x := v.(type) {
	case string:
		text = []byte(x)
	case []byte:
		text = x
	default:
		if !known {
			return slice(v)
		}
		text, err = w.types().Encode(oid, pgtype.TextFormatCode, v, []byte{})
		if err != nil { // pgx keeps a plan for slices of slices that fails after others succeeded
			text, err = pgtype.NewMap().Encode(oid, pgtype.TextFormatCode, v, []byte{})
		}
		if err != nil {
			return nil, false, server.Unfit(v, "an array of the column's type") // err may quote a value
		}
	}
	if text == nil {
		return nil, true, nil
	}
	texts, err := arrayElements(string(text))
	if err != nil {
		return nil, false, server.Unfit(v, "an array of the column's type")
	}
	elements = make([]any, len(texts))
	for i, s := range texts {
		if s == nil {
			continue
		}
		if elements[i] = *s; t == server.KeyBytes {
			if elements[i], err = byteaOf(*s); err != nil {
				return nil, false, err
			}
		}
	}
	return elements, false, nil
}

// slice returns the elements of a Go slice or of an array of pgtype, for types whose values
// are no plain text. Slices of slices are arrays of more dimensions.
func slice(v any) (elements []any, null bool, err error) {
	if array, ok := v.(pgtype.ArrayGetter); ok {
		dimensions := array.Dimensions()
		if dimensions == nil {
			return nil, true, nil
		}
		n := min(1, len(dimensions))
		for _, d := range dimensions {
			n *= int(d.Length)
		}
		elements = make([]any, n)
		for i := range elements {
			if elements[i], err = server.Plain(array.Index(i)); err != nil {
				return nil, false, err
			}
		}
		return elements, false, nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return nil, false, server.Unfit(v, "an array of the column's type")
	}
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		return nil, true, nil
	}
	elements = make([]any, 0, rv.Len())
	for i := range rv.Len() {
		e := rv.Index(i)
		if e.Kind() == reflect.Slice && e.Type().Elem().Kind() != reflect.Uint8 {
			inner, _, err := slice(e.Interface())
			if err != nil {
				return nil, false, err
			}
			elements = append(elements, inner...)
			continue
		}
		plain, err := server.Plain(e.Interface())
		if err != nil {
			return nil, false, err
		}
		elements = append(elements, plain)
	}
	return elements, false, nil
}

// Array implements [server.Values]: the array's text, which pgx sends as an array of any type.
func (w values) Array(t server.KeyType, texts []string) (any, error) {
	if _, known := arrays[t]; !known || t == server.KeyBytes {
		return nil, errors.New("the column's type has no arrays that can be written")
	}
	text, err := w.types().Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, texts, []byte{})
	return string(text), err
}
