package postgres

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/server"
)

// arrayText is a Valuer that writes an array's text, like pq.Array.
type arrayText string

func (a arrayText) Value() (driver.Value, error) { return string(a), nil }

func TestElementsOfWhatPgxTakesForAnArray(t *testing.T) {
	a, at := "a", time.Unix(0, 0)
	two := []any{"a", nil}
	cases := []struct {
		name string
		typ  server.KeyType
		v    any
		want []any // nil for NULL
		err  bool
	}{
		{"a slice of texts", server.KeyText, []string{"a", "b,c", `"`, ""}, []any{"a", "b,c", `"`, ""}, false},
		{"a slice of a named type", server.KeyText, []accountNumber{"a"}, []any{"a"}, false},
		{"an empty slice", server.KeyText, []string{}, []any{}, false},
		{"a slice that is nil", server.KeyText, []string(nil), nil, false},
		{"NULL", server.KeyText, nil, nil, false},
		{"pointers", server.KeyText, []*string{&a, nil}, two, false},
		{"any", server.KeyText, []any{"a", nil}, two, false},
		{"Valuers", server.KeyText, []sql.NullString{{String: "a", Valid: true}, {}}, two, false},
		{"pgtype.Array", server.KeyText, pgtype.Array[pgtype.Text]{Elements: []pgtype.Text{{String: "a", Valid: true}, {}}, Dims: []pgtype.ArrayDimension{{Length: 2, LowerBound: 1}}, Valid: true}, two, false},
		{"pgtype.FlatArray", server.KeyText, pgtype.FlatArray[string]{"a"}, []any{"a"}, false},
		{"the text of an array", server.KeyText, `{a,NULL}`, two, false},
		{"a Valuer of the text of an array", server.KeyText, arrayText(`{"a",NULL}`), two, false},
		{"numbers", server.KeyInteger, []int64{1, -2}, []any{"1", "-2"}, false},
		{"UUIDs", server.KeyUUID, [][16]byte{{1}}, []any{"01000000-0000-0000-0000-000000000000"}, false},
		{"bytes", server.KeyBytes, [][]byte{{1, 2}, nil}, []any{[]byte{1, 2}, nil}, false},
		{"points in time", server.KeyUnsupported, []time.Time{at}, []any{at}, false},
		{"one text", server.KeyText, "a", nil, true},
		{"a number", server.KeyText, 7, nil, true},
		{"a number for points in time", server.KeyUnsupported, 7, nil, true},
	}
	for _, c := range cases {
		got, null, err := values{}.Elements(c.typ, c.v)
		if (err != nil) != c.err || null != (c.want == nil && !c.err) || fmt.Sprint(got) != fmt.Sprint(c.want) || err == nil && len(got) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, null %v, %v", c.name, got, null, err)
		}
	}
	if len(cases) != 19 {
		t.Errorf("%d cases ran", len(cases))
	}
}
