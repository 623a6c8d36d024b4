package sealpgx_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

type commandTag = pgconn.CommandTag

// modes are pgx's ways to send a statement.
var modes = []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol}

// upper is a Scanner and a Valuer of an application.
type upper string

func (u *upper) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*u = upper("<" + v + ">")
		return nil
	case nil:
		*u = "NULL"
		return nil
	}
	return fmt.Errorf("no text: %T", v)
}

// named is a type of an application without methods.
type named string

type document struct {
	A int    `json:"a"`
	B string `json:"b"`
}

// typeCases are the columns of items, arguments for each, and destinations that pgx takes
// for a column of that type in clear, or refuses.
var typeCases = []struct {
	column string
	args   []any
	to     []func() any
}{
	{"s", []any{"900-12-3456", named("900-98-7654"), ptr("901-11-1111"), pgtype.Text{String: "902-11-1111", Valid: true}, pgtype.Text{}, sql.NullString{String: "903-11-1111", Valid: true}, []byte("904-11-1111"), nil, (*string)(nil), ""},
		[]func() any{to[string], to[*string], to[pgtype.Text], to[sql.NullString], to[any], to[named], to[upper], to[[]byte], to[int]}},
	{"t", []any{"secret α", nil, ""}, []func() any{to[string], to[*string], to[pgtype.Text], to[any], to[[]byte]}},
	{"n", []any{int64(770001), int32(770002), 770003, uint16(7700), "770004", ptr(int64(770005)), pgtype.Int8{Int64: 770006, Valid: true}, sql.NullInt64{}, int64(-1 << 63), nil},
		[]func() any{to[int64], to[*int64], to[int], to[int16], to[uint64], to[pgtype.Int8], to[pgtype.Int4], to[sql.NullInt64], to[string], to[float64], to[any], to[bool]}},
	{"f", []any{1.5, float32(0.25), -2e300, ptr(3.25), pgtype.Float8{Float64: 4.5, Valid: true}, sql.NullFloat64{}, "5.5", nil, 0.0},
		[]func() any{to[float64], to[*float64], to[float32], to[pgtype.Float8], to[sql.NullFloat64], to[any], to[string], to[int64]}},
	{"b", []any{true, false, ptr(true), pgtype.Bool{Bool: true, Valid: true}, sql.NullBool{}, nil}, []func() any{to[bool], to[*bool], to[pgtype.Bool], to[sql.NullBool], to[any], to[string]}},
	{"at", []any{time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), "2024-05-06 07:08:09+02", pgtype.Timestamptz{Time: time.Unix(1, 0), Valid: true}, sql.NullTime{}, nil},
		[]func() any{to[time.Time], to[*time.Time], to[pgtype.Timestamptz], to[sql.NullTime], to[any]}},
	{"d", []any{time.Date(1977, 7, 7, 0, 0, 0, 0, time.UTC), "1977-07-08", pgtype.Date{Time: time.Date(1977, 7, 9, 0, 0, 0, 0, time.UTC), Valid: true}, pgtype.Date{}, nil},
		[]func() any{to[time.Time], to[*time.Time], to[pgtype.Date], to[sql.NullTime], to[any], to[string]}},
	{"amount", []any{"77000.50", "-0.001", int64(770007), 1.25, pgtype.Numeric{Int: integer(77), Exp: -1, Valid: true}, pgtype.Numeric{}, nil},
		[]func() any{to[pgtype.Numeric], to[string], to[*string], to[float64], to[any], to[sql.NullFloat64]}},
	{"u", []any{"77777777-0000-0000-0000-000000000001", [16]byte{7, 7, 7}, pgtype.UUID{Bytes: [16]byte{8, 8, 8}, Valid: true}, pgtype.UUID{}, nil},
		[]func() any{to[pgtype.UUID], to[[16]byte], to[string], to[*string], to[any], to[[]byte]}},
	{"raw", []any{[]byte("secret\x00\xff"), []byte{}, nil, []byte(nil)}, []func() any{to[[]byte], to[any], to[pgtype.PreallocBytes], to[*[]byte]}},
	{"doc", []any{`{"a": 1, "b": "secret"}`, []byte(`[1, 2]`), document{7, "secret"}, map[string]any{"a": "secret"}, json.RawMessage(`"x"`), nil},
		[]func() any{to[any], to[document], to[*document], to[map[string]any], to[[]byte], to[string], to[json.RawMessage]}},
}

func to[T any]() any { return new(T) }

func ptr[T any](v T) *T { return &v }

// TestEveryTypeScansAsInClear writes arguments of many types into each column, protected
// and in clear, and compares what destinations of many types get.
func TestEveryTypeScansAsInClear(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456", "900-98-7654", "901-11-1111", "902-11-1111", "903-11-1111", "904-11-1111", "secret")
	ctx := context.Background()
	id, scans := 0, 0
	for _, c := range typeCases {
		for i, arg := range c.args {
			mode := modes[id%len(modes)]
			id++
			insert := "INSERT INTO items (id, " + c.column + ") VALUES ($1, $2)"
			_, sealed := s.pool.Exec(ctx, insert, mode, int64(id), arg)
			_, clear := s.twin.Exec(ctx, insert, mode, int64(id), arg)
			if sealed != nil || clear != nil {
				if clear == nil {
					t.Errorf("%s, argument %d (%T) in mode %v: sealpgx says %v, and pgx takes it", c.column, i, arg, mode, sealed)
				}
				continue
			}
			var null bool
			if err := s.twin.QueryRow(ctx, "SELECT "+c.column+" IS NULL FROM items WHERE id = $1", int64(id)).Scan(&null); err != nil {
				t.Fatal(err)
			}
			for _, mode := range modes {
				query := "SELECT name, " + c.column + ", id FROM items WHERE id = $1"
				for _, to := range c.to {
					got, want := to(), to()
					if _, text := got.(*string); text && null {
						continue // pgx tries all types in a random order, some of which take NULL
					}
					gotErr := s.pool.QueryRow(ctx, query, mode, int64(id)).Scan(nil, got, nil)
					wantErr := s.twin.QueryRow(ctx, query, mode, int64(id)).Scan(nil, want, nil)
					if scans++; (gotErr == nil) != (wantErr == nil) || gotErr == nil && !same(got, want) {
						t.Errorf("%s, argument %d (%T), into %T in mode %v:\n got %#v, %v\nwant %#v, %v", c.column, i, arg, got, mode, deref(got), gotErr, deref(want), wantErr)
					}
				}
			}
		}
	}
	if scans < 2000 {
		t.Errorf("%d scans", scans)
	}
}

func deref(v any) any { return reflect.ValueOf(v).Elem().Interface() }

// same compares two pointers' values; JSON by its meaning, since jsonb has a spelling of
// its own.
func same(a, b any) bool {
	a, b = deref(a), deref(b)
	var x, y any
	switch v := a.(type) {
	case []byte:
		if json.Unmarshal(v, &x) == nil && json.Unmarshal(b.([]byte), &y) == nil {
			return reflect.DeepEqual(x, y)
		}
	case json.RawMessage:
		return v == nil && b.(json.RawMessage) == nil || json.Unmarshal(v, &x) == nil && json.Unmarshal(b.(json.RawMessage), &y) == nil && reflect.DeepEqual(x, y)
	case string:
		if json.Unmarshal([]byte(v), &x) == nil && json.Unmarshal([]byte(b.(string)), &y) == nil {
			return reflect.DeepEqual(x, y)
		}
	case pgtype.Numeric:
		b := b.(pgtype.Numeric)
		p, _ := v.Float64Value()
		q, _ := b.Float64Value()
		return p == q
	}
	return reflect.DeepEqual(a, b)
}

func integer(n int64) *big.Int { return big.NewInt(n) }
