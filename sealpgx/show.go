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

var looks = map[policy.ValueType]look{
	policy.TypeString:    {pgtype.TextOID, -1, writeText},
	policy.TypeBytes:     {pgtype.ByteaOID, -1, writeBytes},
	policy.TypeInt64:     {pgtype.Int8OID, 8, writeInt},
	policy.TypeFloat64:   {pgtype.Float8OID, 8, writeFloat},
	policy.TypeBool:      {pgtype.BoolOID, 1, writeBool},
	policy.TypeTimestamp: {pgtype.TimestamptzOID, 8, writeTimestamp},
	policy.TypeDate:      {pgtype.DateOID, 4, writeDate},
	policy.TypeDecimal:   {pgtype.NumericOID, -1, writeNumeric},
	policy.TypeUUID:      {pgtype.UUIDOID, 16, writeUUID},
	policy.TypeJSON:      {pgtype.JSONBOID, -1, writeJSON},
}

// errLook is the error of a value that has another Go type than its column.
var errLook = errors.New("sealpgx: a protected value has another type than its column")

// field describes a protected column to the user.
func (l look) field(f pgconn.FieldDescription, format int16) pgconn.FieldDescription {
	f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format = l.oid, l.size, -1, format
	return f
}

func writeText(buf []byte, _ int16, v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return nil, errLook
	}
	return append(buf, s...), nil
}

func writeBytes(buf []byte, format int16, v any) ([]byte, error) {
	b, ok := v.([]byte)
	switch {
	case !ok:
		return nil, errLook
	case format == pgx.BinaryFormatCode:
		return append(buf, b...), nil
	}
	return hex.AppendEncode(append(buf, `\x`...), b), nil
}

func writeInt(buf []byte, format int16, v any) ([]byte, error) {
	n, ok := v.(int64)
	switch {
	case !ok:
		return nil, errLook
	case format == pgx.BinaryFormatCode:
		return binary.BigEndian.AppendUint64(buf, uint64(n)), nil
	}
	return strconv.AppendInt(buf, n, 10), nil
}

func writeFloat(buf []byte, format int16, v any) ([]byte, error) {
	n, ok := v.(float64)
	switch {
	case !ok:
		return nil, errLook
	case format == pgx.BinaryFormatCode:
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(n)), nil
	case math.IsInf(n, 1):
		return append(buf, "Infinity"...), nil
	case math.IsInf(n, -1):
		return append(buf, "-Infinity"...), nil
	}
	return strconv.AppendFloat(buf, n, 'g', -1, 64), nil
}

func writeBool(buf []byte, format int16, v any) ([]byte, error) {
	b, ok := v.(bool)
	switch {
	case !ok:
		return nil, errLook
	case format == pgx.BinaryFormatCode && b:
		return append(buf, 1), nil
	case format == pgx.BinaryFormatCode:
		return append(buf, 0), nil
	case b:
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

func writeTimestamp(buf []byte, format int16, v any) ([]byte, error) {
	at, ok := v.(time.Time)
	if !ok {
		return nil, errLook
	}
	if format == pgx.TextFormatCode && at.Year() > 0 {
		return at.UTC().Truncate(time.Microsecond).AppendFormat(buf, "2006-01-02 15:04:05.999999-07"), nil // as the server spells it
	}
	return encode(&pgtype.TimestamptzCodec{}, pgtype.TimestamptzOID, format, pgtype.Timestamptz{Time: at, Valid: true}, buf)
}

func writeDate(buf []byte, format int16, v any) ([]byte, error) {
	at, ok := v.(time.Time)
	if !ok {
		return nil, errLook
	}
	return encode(pgtype.DateCodec{}, pgtype.DateOID, format, pgtype.Date{Time: at, Valid: true}, buf)
}

func writeNumeric(buf []byte, format int16, v any) ([]byte, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, errLook
	case format != pgx.BinaryFormatCode:
		return append(buf, s...), nil
	}
	var n pgtype.Numeric
	if err := n.Scan(s); err != nil {
		return nil, errLook // err quotes the value
	}
	return encode(pgtype.NumericCodec{}, pgtype.NumericOID, format, n, buf)
}

func writeUUID(buf []byte, format int16, v any) ([]byte, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, errLook
	case format != pgx.BinaryFormatCode:
		return append(buf, s...), nil
	}
	var u pgtype.UUID
	if err := u.Scan(s); err != nil {
		return nil, errLook // err quotes the value
	}
	return append(buf, u.Bytes[:]...), nil
}

// writeJSON writes jsonb, whose binary format is the text behind a version.
func writeJSON(buf []byte, format int16, v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return nil, errLook
	}
	if format == pgx.BinaryFormatCode {
		buf = append(buf, 1)
	}
	return append(buf, s...), nil
}
