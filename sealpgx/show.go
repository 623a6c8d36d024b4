package sealpgx

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/policy"
)

// look is how a result shows a protected column: as a column of the policy's type.
type look struct {
	oid  uint32
	size int16
	// write appends a value in a wire format. Values are those of the column's Go type:
	// string, []byte, int64, float64, bool or time.Time.
	write func(buf []byte, format int16, v any) ([]byte, error)
}

var looks = map[policy.ValueType]*look{
	policy.TypeString:    {pgtype.TextOID, -1, formats(appendText, appendText)},
	policy.TypeBytes:     {pgtype.ByteaOID, -1, formats(appendHex, appendBytes)},
	policy.TypeInt64:     {pgtype.Int8OID, 8, formats(appendDigits, appendInt)},
	policy.TypeFloat64:   {pgtype.Float8OID, 8, formats(appendFloatText, appendFloat)},
	policy.TypeBool:      {pgtype.BoolOID, 1, formats(appendBoolText, appendBool)},
	policy.TypeTimestamp: {pgtype.TimestamptzOID, 8, formats(appendTimestampText, appendTimestamp)},
	policy.TypeDate:      {pgtype.DateOID, 4, formats(appendDateText, appendDate)},
	policy.TypeDecimal:   {pgtype.NumericOID, -1, formats(appendText, appendNumeric)},
	policy.TypeUUID:      {pgtype.UUIDOID, 16, formats(appendText, appendUUID)},
	policy.TypeJSON:      {pgtype.JSONBOID, -1, formats(appendBytes, appendJSON)},
}

// lengthLook is how a result shows the length of a value.
var lengthLook = &look{pgtype.Int4OID, 4, formats(appendDigits, func(buf []byte, n int64) ([]byte, error) {
	return binary.BigEndian.AppendUint32(buf, uint32(n)), nil
})}

// shownColumn is a protected column, as far as its look depends on it.
type shownColumn interface {
	KeepsType() bool
	ValueType() policy.ValueType
}

// lookOf is how a result shows a protected column for which the server returns the type.
// Documents and their values keep that type.
func lookOf(c shownColumn, oid uint32) *look {
	if !c.KeepsType() {
		return looks[c.ValueType()]
	}
	return &look{oid, -1, func(buf []byte, format int16, v any) ([]byte, error) {
		if format == pgx.BinaryFormatCode && oid == pgtype.JSONBOID {
			buf = append(buf, 1)
		}
		switch v := v.(type) {
		case string:
			return append(buf, v...), nil
		case []byte:
			return append(buf, v...), nil
		}
		return nil, errLook
	}}
}

// errLook is the error of a value that has another Go type than its column.
var errLook = errors.New("sealpgx: a protected value has another type than its column")

// field describes a protected column to the user.
func (l *look) field(f pgconn.FieldDescription, format int16) pgconn.FieldDescription {
	f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format = l.oid, l.size, -1, format
	return f
}

// appender appends a value in one format.
type appender[T any] func(buf []byte, v T) ([]byte, error)

// formats writes values of a Go type, as text or in binary.
func formats[T any](text, binary appender[T]) func(buf []byte, format int16, v any) ([]byte, error) {
	return func(buf []byte, format int16, v any) ([]byte, error) {
		value, ok := v.(T)
		switch {
		case !ok:
			return nil, errLook
		case format == pgx.BinaryFormatCode:
			return binary(buf, value)
		}
		return text(buf, value)
	}
}

// Text and its binary format are the same; decimals and UUIDs are kept as text.
func appendText(buf []byte, s string) ([]byte, error) { return append(buf, s...), nil }

func appendBytes(buf []byte, b []byte) ([]byte, error) { return append(buf, b...), nil }

func appendHex(buf []byte, b []byte) ([]byte, error) {
	return hex.AppendEncode(append(buf, `\x`...), b), nil
}

func appendInt(buf []byte, n int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(buf, uint64(n)), nil
}

func appendDigits(buf []byte, n int64) ([]byte, error) { return strconv.AppendInt(buf, n, 10), nil }

func appendFloat(buf []byte, n float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(buf, math.Float64bits(n)), nil
}

func appendFloatText(buf []byte, n float64) ([]byte, error) {
	switch {
	case math.IsInf(n, 1):
		return append(buf, "Infinity"...), nil
	case math.IsInf(n, -1):
		return append(buf, "-Infinity"...), nil
	}
	return strconv.AppendFloat(buf, n, 'g', -1, 64), nil
}

func appendBool(buf []byte, b bool) ([]byte, error) {
	if b {
		return append(buf, 1), nil
	}
	return append(buf, 0), nil
}

func appendBoolText(buf []byte, b bool) ([]byte, error) {
	if b {
		return append(buf, 't'), nil
	}
	return append(buf, 'f'), nil
}

// encode writes a value with a codec of pgx's own, whatever the connection registered.
func encode(codec pgtype.Codec, oid uint32, format int16, v any, buf []byte) ([]byte, error) {
	plan := codec.PlanEncode(nil, oid, format, v)
	if plan == nil {
		return nil, errLook
	}
	return plan.Encode(v, buf)
}

func appendTimestamp(buf []byte, at time.Time) ([]byte, error) {
	return encode(&pgtype.TimestamptzCodec{}, pgtype.TimestamptzOID, pgx.BinaryFormatCode, pgtype.Timestamptz{Time: at, Valid: true}, buf)
}

func appendTimestampText(buf []byte, at time.Time) ([]byte, error) {
	if at.Year() > 0 {
		return at.UTC().Truncate(time.Microsecond).AppendFormat(buf, "2006-01-02 15:04:05.999999-07"), nil // as the server spells it
	}
	return encode(&pgtype.TimestamptzCodec{}, pgtype.TimestamptzOID, pgx.TextFormatCode, pgtype.Timestamptz{Time: at, Valid: true}, buf)
}

func appendDate(buf []byte, at time.Time) ([]byte, error) {
	return encode(pgtype.DateCodec{}, pgtype.DateOID, pgx.BinaryFormatCode, pgtype.Date{Time: at, Valid: true}, buf)
}

func appendDateText(buf []byte, at time.Time) ([]byte, error) {
	return encode(pgtype.DateCodec{}, pgtype.DateOID, pgx.TextFormatCode, pgtype.Date{Time: at, Valid: true}, buf)
}

func appendNumeric(buf []byte, s string) ([]byte, error) {
	var n pgtype.Numeric
	if err := n.Scan(s); err != nil {
		return nil, errLook // err quotes the value
	}
	return encode(pgtype.NumericCodec{}, pgtype.NumericOID, pgx.BinaryFormatCode, n, buf)
}

func appendUUID(buf []byte, s string) ([]byte, error) {
	var u pgtype.UUID
	if err := u.Scan(s); err != nil {
		return nil, errLook // err quotes the value
	}
	return append(buf, u.Bytes[:]...), nil
}

// appendJSON appends jsonb, whose binary format is the text behind a version.
func appendJSON(buf []byte, s []byte) ([]byte, error) { return append(append(buf, 1), s...), nil }
