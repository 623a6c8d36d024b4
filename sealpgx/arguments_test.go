package sealpgx_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Types of an application: with a kind of their own, with pgx's interfaces, with
// database/sql's on the value and on the pointer.
type (
	count    int32
	ratio    float64
	flag     bool
	blob     []byte
	identity [16]byte
	moment   time.Time

	texter    struct{ s string }
	numbers   struct{ n int64 }
	valuer    struct{ v any }
	lazy      struct{ v any }
	valueless struct{}
	stringer  struct{ s string }
)

func (t texter) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: t.s, Valid: t.s != ""}, nil
}

func (n numbers) Int64Value() (pgtype.Int8, error) { return pgtype.Int8{Int64: n.n, Valid: true}, nil }

func (n numbers) Float64Value() (pgtype.Float8, error) {
	return pgtype.Float8{Float64: float64(n.n), Valid: true}, nil
}

func (v valuer) Value() (sqldriver.Value, error) { return v.v, nil }

func (l *lazy) Value() (sqldriver.Value, error) {
	if l == nil {
		return nil, nil
	}
	return l.v, nil
}

func (valueless) Value() (sqldriver.Value, error) { return nil, errors.New("no value") }

func (s stringer) String() string { return s.s }

// anyArguments are passed for columns of every type.
var anyArguments = []any{
	nil, (*string)(nil), (*int64)(nil), (*time.Time)(nil), (*lazy)(nil), sql.NullString{}, pgtype.Text{}, &pgtype.Text{}, (*pgtype.Text)(nil), []byte(nil), valuer{}, valueless{},
	"", "900-12-3456", "12", "t", "2024-05-06", "2024-05-06T07:08:09Z", `{"a": 1}`, "77777777-0000-0000-0000-000000000001",
	12, int8(12), int16(12), int32(12), int64(12), uint(12), uint8(12), uint16(12), uint32(12), uint64(12), 12.5, float32(12.5), true, false, count(12), ratio(12.5), flag(true), named("12"),
	ptr("12"), ptr(12), ptr(12.5), ptr(true), ptr(count(12)), ptr(ptr("12")),
	time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC), ptr(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)), moment(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)),
	[]byte("12"), blob("12"), ptr([]byte("12")), [16]byte{1, 2}, identity{1, 2}, json.RawMessage(`{"a": 1}`), ptr(json.RawMessage(`[2]`)),
	texter{"12"}, texter{}, numbers{12}, &numbers{12}, valuer{"12"}, valuer{int64(12)}, valuer{[]byte("12")}, valuer{true}, valuer{time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)}, &valuer{"12"}, &lazy{"12"}, stringer{"12"},
	sql.NullString{String: "12", Valid: true}, sql.NullInt64{Int64: 12, Valid: true}, sql.NullInt32{Int32: 12, Valid: true}, sql.NullFloat64{Float64: 12.5, Valid: true}, sql.NullBool{Bool: true, Valid: true},
	sql.NullTime{Time: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), Valid: true}, sql.Null[string]{V: "12", Valid: true}, sql.Null[int]{V: 12, Valid: true}, &sql.NullString{String: "12", Valid: true},
	pgtype.Text{String: "12", Valid: true}, pgtype.Int2{Int16: 12, Valid: true}, pgtype.Int4{Int32: 12, Valid: true}, pgtype.Int8{Int64: 12, Valid: true}, &pgtype.Int8{Int64: 12, Valid: true},
	pgtype.Float4{Float32: 12.5, Valid: true}, pgtype.Float8{Float64: 12.5, Valid: true}, pgtype.Bool{Bool: true, Valid: true}, pgtype.UUID{Bytes: [16]byte{1}, Valid: true},
	pgtype.Numeric{Int: big.NewInt(125), Exp: -1, Valid: true}, pgtype.Numeric{NaN: true, Valid: true}, &pgtype.Numeric{Int: big.NewInt(12), Valid: true},
	pgtype.Date{Time: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), Valid: true}, pgtype.Date{InfinityModifier: pgtype.Infinity, Valid: true},
	pgtype.Timestamptz{Time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Valid: true}, pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}, pgtype.Timestamp{Time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Valid: true},
	document{7, "secret"}, &document{7, "secret"}, map[string]any{"a": 1}, []string{"a"}, []int{1}, []any{1, "a"}, struct{ C chan int }{}, math.NaN(), math.Inf(1), *big.NewInt(12), big.NewInt(12),
	pgtype.DriverBytes("12"), pgtype.PreallocBytes("12"), pgtype.UndecodedBytes("12"),
}

// TestEveryArgumentIsTakenAsInClear writes arguments of many types into columns of each
// type in each mode, protected and in clear, and compares which are taken, and as what.
func TestEveryArgumentIsTakenAsInClear(t *testing.T) {
	s := newSite(t, "")
	ctx := context.Background()
	calls, taken, differ := 0, 0, map[string]int{}
	for _, c := range typeCases {
		if c.column == "t" {
			continue // as s
		}
		insert := "INSERT INTO items (id, " + c.column + ") VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET " + c.column + " = EXCLUDED." + c.column
		query := "SELECT " + c.column + " FROM items WHERE id = 1"
		for i, arg := range anyArguments {
			for _, mode := range modes {
				calls++
				var answers [2]string
				for k, q := range []querier{s.pool, s.twin} {
					if _, err := q.Exec(ctx, insert, mode, arg); err != nil {
						answers[k] = refused
						continue
					}
					answers[k] = storedAs(q, query)
				}
				if answers[1] != refused {
					taken++
				}
				if answers[0] != answers[1] {
					why := difference(c.column, answers[0], answers[1])
					if differ[why]++; why != "" {
						continue
					}
					t.Errorf("%s takes argument %d, %#v (%T), in mode %v:\n got %s\nwant %s", c.column, i, arg, arg, mode, answers[0], answers[1])
				}
			}
		}
	}
	t.Logf("%d calls, of which pgx takes %d in clear; %v differ", calls, taken, differ)
	if want := (len(typeCases) - 1) * len(anyArguments) * len(modes); calls != want || taken < 2400 {
		t.Errorf("%d calls, want %d; %d were taken", calls, want, taken)
	}
	infinity := 45
	if !s.infiniteNumeric(t) {
		infinity = 30
	}
	if want := map[string]int{takesMore: 103, noText: 122, noFraction: 15, noUUID: 27, noInfinity: infinity}; !maps.Equal(differ, want) {
		t.Errorf("the differences are %v, want %v", differ, want)
	}
}

// infiniteNumeric reports whether the server's numeric has an infinity, as from Postgres 14 on.
func (s *site) infiniteNumeric(t *testing.T) bool {
	t.Helper()
	var version int
	if err := s.twin.QueryRow(context.Background(), "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version >= 140000
}

const refused = "refused"

// Why sealpgx takes another argument than pgx does for the column in clear.
const (
	takesMore  = "sealsql takes integers for text, and writes any argument as JSON"
	noText     = "what is no text has no spelling that all modes share"
	noFraction = "a fraction would be lost"
	noUUID     = "bytes that are not 16"
	noInfinity = "the policy's type has no infinity and no NaN"
)

// TestAnArgumentOfSeveralRowsIsSpelled writes rows that are found first.
func TestAnArgumentOfSeveralRowsIsSpelled(t *testing.T) {
	s := newSite(t, "")
	for _, q := range []querier{s.pool, s.twin} {
		exec(t, q, "INSERT INTO items (id, name) VALUES (1, 'x'), (2, 'x')")
		exec(t, q, "UPDATE items SET f = $1, doc = $2 WHERE name = $3", texter{"12"}, texter{"[1]"}, "x")
	}
	const query = "SELECT f FROM items ORDER BY id"
	if got, want := answerOf(s.pool, query, nil), answerOf(s.twin, query, nil); got != want || !strings.HasPrefix(got, "12\n12\n") {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// difference explains a difference; empty if nothing does.
func difference(column, got, want string) string {
	unbounded := strings.Contains(strings.ToLower(want), "infinity") || want == "NaN"
	switch {
	case want == refused && slices.Contains([]string{"s", "f", "doc"}, column):
		return takesMore
	case got != refused:
		return ""
	case column == "s" || column == "raw":
		return noText
	case column == "n":
		return noFraction
	case column == "u":
		return noUUID
	case unbounded && slices.Contains([]string{"amount", "at", "d"}, column):
		return noInfinity
	}
	return ""
}

// storedAs spells a value of the one row, JSON by its meaning.
func storedAs(q querier, query string) string {
	rows, _ := q.Query(context.Background(), query, pgx.QueryResultFormats{pgtype.TextFormatCode})
	defer rows.Close()
	if !rows.Next() {
		return fmt.Sprint("no row: ", rows.Err())
	}
	raw := rows.RawValues()[0]
	if raw == nil {
		return "NULL"
	}
	if rows.FieldDescriptions()[0].DataTypeOID == pgtype.JSONBOID {
		var v any
		err := json.Unmarshal(raw, &v)
		return fmt.Sprint(v, err)
	}
	return string(raw)
}
