package integration

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// fuzzValue is a value as an argument, or as a literal; one of them may be missing.
type fuzzValue struct {
	arg     any
	literal string
}

// fuzzType is a column's type and the values that are written to it.
type fuzzType struct {
	ddl    string
	policy string // for protected columns
	value  func(*rand.Rand) fuzzValue
}

// oneOf picks from a list.
func oneOf[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// quoted writes a text as a literal of both servers.
func quoted(s string) string {
	if strings.ContainsAny(s, `\`) {
		return ""
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// named types of Go that drivers treat in ways of their own.
type (
	namedText string
	namedInt  int64
	// valuer is a driver.Valuer, and prints otherwise.
	valuer string
)

func (v valuer) Value() (driver.Value, error) { return string(v), nil }
func (v valuer) String() string               { return "printed" }

// asText passes a text in one of the Go types that stand for one.
func asText(r *rand.Rand, s string) fuzzValue {
	arg := any(s)
	switch r.IntN(7) {
	case 0:
		arg = []byte(s)
	case 1:
		arg = namedText(s)
	case 2:
		arg = &s
	case 3:
		arg = sql.NullString{String: s, Valid: true}
	case 4:
		arg = valuer(s)
	}
	return fuzzValue{arg, quoted(s)}
}

func asInteger(r *rand.Rand, n int64) fuzzValue {
	arg := any(n)
	switch r.IntN(7) {
	case 0:
		arg = namedInt(n)
	case 1:
		arg = &n
	case 2:
		arg = sql.NullInt64{Int64: n, Valid: true}
	case 3:
		arg = fmt.Sprint(n)
	case 4:
		if n >= 0 {
			arg = uint64(n)
		}
	case 5:
		if int64(int32(n)) == n {
			arg = int32(n)
		}
	}
	return fuzzValue{arg, fmt.Sprint(n)}
}

func fuzzTextKey(alphabet ...string) func(*rand.Rand) fuzzValue {
	return func(r *rand.Rand) fuzzValue {
		s := ""
		for range 1 + r.IntN(2) {
			s += oneOf(r, alphabet...)
		}
		return asText(r, s)
	}
}

func fuzzIntegerKey(numbers ...int64) func(*rand.Rand) fuzzValue {
	return func(r *rand.Rand) fuzzValue { return asInteger(r, oneOf(r, numbers...)) }
}

func fuzzDecimal(r *rand.Rand) fuzzValue {
	s := oneOf(r, "0", "7", "-7.5", "7.50", "100", "1234.5678", "0.05")
	arg := any(s)
	switch r.IntN(4) {
	case 0:
		arg = []byte(s)
	case 1:
		arg = namedText(s)
	}
	return fuzzValue{arg, s}
}

func fuzzUUID(r *rand.Rand) fuzzValue {
	var u [16]byte
	u[0], u[15] = 0xab, byte(r.IntN(6))
	s := hex.EncodeToString(u[:])
	s = s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	if r.IntN(3) == 0 {
		s = strings.ToUpper(s)
	}
	return fuzzValue{s, quoted(s)}
}

// fuzzUUIDs are in the Go types that pgx takes for a uuid.
func fuzzUUIDs(r *rand.Rand) fuzzValue {
	v := fuzzUUID(r)
	raw, err := hex.DecodeString(strings.ReplaceAll(v.arg.(string), "-", ""))
	if err != nil {
		panic(err)
	}
	switch r.IntN(4) {
	case 0:
		v.arg = [16]byte(raw)
	case 1:
		v.arg = pgtype.UUID{Bytes: [16]byte(raw), Valid: true}
	}
	return v
}

func fuzzBytesKey(r *rand.Rand) fuzzValue {
	b := []byte(oneOf(r, "a", "A", "\x00", "\xff\xfe", "a\x00", `\`, "'", "abc"))
	return fuzzValue{arg: b}
}

// fuzzInstants lie near the ends of summer time and of days.
var fuzzInstants = []time.Time{
	time.Date(2024, 1, 15, 23, 30, 0, 0, time.UTC), time.Date(2024, 3, 31, 1, 30, 0, 123456000, time.UTC), time.Date(2024, 3, 31, 2, 30, 0, 0, time.UTC),
	time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC), time.Date(2024, 10, 27, 1, 30, 0, 500000000, time.UTC), time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(2000, 2, 29, 12, 0, 0, 0, time.UTC),
}

var fuzzZones = []string{"UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"}

func fuzzZone(r *rand.Rand) *time.Location {
	loc, err := time.LoadLocation(oneOf(r, fuzzZones...))
	if err != nil {
		panic(err)
	}
	return loc
}

func fuzzMoment(layout string) func(*rand.Rand) fuzzValue {
	return func(r *rand.Rand) fuzzValue {
		at := oneOf(r, fuzzInstants...)
		text := at.Format(layout)
		if r.IntN(2) == 0 {
			return fuzzValue{text, quoted(text)}
		}
		return fuzzValue{arg: at.In(fuzzZone(r))}
	}
}

const (
	layoutSeconds = "2006-01-02 15:04:05"
	layoutMicros  = "2006-01-02 15:04:05.999999"
	layoutZoned   = "2006-01-02 15:04:05.999999Z07:00"
)

var (
	caseWords   = []string{"abc", "ABC", "Abc", "x", "X", "é", "É", "e", "ss", "1", "01"}
	latinWords  = []string{"abc", "ABC", "é", "É", "ü", "1"}
	fuzzNumbers = []int64{1, 2, 3, 7, 100, 32000}
)

// fuzzKeyTypes are the types of row keys.
func fuzzKeyTypes(s *testdb.Server) []fuzzType {
	if s.Name == "postgres" {
		return []fuzzType{
			{ddl: "text", value: fuzzTextKey(append(caseWords, " ", `\`, "'")...)},
			{ddl: "varchar(20)", value: fuzzTextKey(caseWords...)},
			{ddl: "char(8)", value: fuzzTextKey("a", "b ", "c", "1")},
			{ddl: "text COLLATE nocase", value: fuzzTextKey(caseWords...)},
			{ddl: "integer", value: fuzzIntegerKey(fuzzNumbers...)},
			{ddl: "bigint", value: fuzzIntegerKey(append(fuzzNumbers, 1<<62, -5)...)},
			{ddl: "smallint", value: fuzzIntegerKey(fuzzNumbers...)},
			{ddl: "numeric", value: fuzzDecimal}, {ddl: "numeric(12,4)", value: fuzzDecimal},
			{ddl: "uuid", value: fuzzUUIDs},
			{ddl: "bytea", value: fuzzBytesKey},
			{ddl: "date", value: fuzzMoment("2006-01-02")},
			{ddl: "timestamp", value: fuzzMoment(layoutMicros)},
			{ddl: "timestamptz", value: fuzzMoment(layoutZoned)},
		}
	}
	list := []fuzzType{
		{ddl: "varchar(20)", value: fuzzTextKey(caseWords...)},
		{ddl: "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", value: fuzzTextKey(append(caseWords, `\`, "'")...)},
		{ddl: "varchar(20) CHARACTER SET latin1", value: fuzzTextKey(latinWords...)},
		{ddl: "varchar(20) CHARACTER SET gbk", value: fuzzTextKey("abc", "ABC", "中", "文")},
		{ddl: "varchar(20) CHARACTER SET sjis", value: fuzzTextKey("abc", "ABC", "日", "本")},
		{ddl: "varchar(20) CHARACTER SET utf16", value: fuzzTextKey(caseWords...)},
		{ddl: "char(8)", value: fuzzTextKey("a", "A", "b", "1")},
		{ddl: "enum('a','b','c','dd')", value: fuzzTextKey("a", "b", "c")},
		{ddl: "set('a','b','c')", value: func(r *rand.Rand) fuzzValue { return asText(r, oneOf(r, "a", "b", "a,b", "a,c", "")) }},
		{ddl: "int", value: fuzzIntegerKey(append(fuzzNumbers, -5)...)},
		{ddl: "bigint", value: fuzzIntegerKey(append(fuzzNumbers, 1<<62, -5)...)},
		{ddl: "bigint unsigned", value: func(r *rand.Rand) fuzzValue {
			n := oneOf(r, uint64(1), 2, 7, 1<<63, 1<<64-1, 1<<63+1)
			return fuzzValue{n, fmt.Sprint(n)}
		}},
		{ddl: "decimal(12,4)", value: fuzzDecimal},
		{ddl: "binary(3)", value: func(r *rand.Rand) fuzzValue {
			return fuzzValue{arg: []byte(oneOf(r, "abc", "ABC", "\x00\x01\x02", "\xff\xfe\\"))}
		}},
		{ddl: "varbinary(8)", value: fuzzBytesKey},
		{ddl: "date", value: fuzzMoment("2006-01-02")},
		{ddl: "datetime", value: func(r *rand.Rand) fuzzValue {
			v := fuzzMoment(layoutSeconds)(r)
			if at, ok := v.arg.(time.Time); ok {
				v.arg = at.Truncate(time.Second)
			}
			return v
		}},
		{ddl: "datetime(6)", value: fuzzMoment(layoutMicros)},
	}
	if s.Product == "mariadb" {
		list = append(list, fuzzType{ddl: "uuid", value: fuzzUUID})
	}
	return list
}

// fuzzValueTypes are the types of protected columns.
func fuzzValueTypes(s *testdb.Server) []fuzzType {
	text := func(r *rand.Rand) fuzzValue {
		if r.IntN(10) == 0 {
			return fuzzValue{literal: "NULL"}
		}
		return asText(r, oneOf(r, "", "1", "078-05-1120", "é中", `back\slash`, "quo'te", "\\xdeadbeef"))
	}
	if s.Name == "postgres" {
		return []fuzzType{
			{ddl: "text", policy: "string", value: text},
			{ddl: "bytea", policy: "bytes", value: func(r *rand.Rand) fuzzValue {
				b := []byte(oneOf(r, "", "a", "\xde\xad\xbe\xef", `\x61`, `\`))
				return oneOf(r, fuzzValue{arg: b}, fuzzValue{arg: fmt.Sprintf(`\x%x`, b), literal: fmt.Sprintf(`'\x%x'`, b)})
			}},
			{ddl: "bigint", policy: "int64", value: fuzzIntegerKey(0, 1, -5, 1<<62)},
			{ddl: "boolean", policy: "bool", value: func(r *rand.Rand) fuzzValue { b := r.IntN(2) == 0; return fuzzValue{b, fmt.Sprint(b)} }},
			{ddl: "double precision", policy: "float64", value: func(r *rand.Rand) fuzzValue {
				x := oneOf(r, 0, 1.5, -2.25e10, 1e-7)
				return fuzzValue{x, fmt.Sprint(x)}
			}},
			{ddl: "timestamptz", policy: "timestamp", value: fuzzMoment(layoutZoned)},
			{ddl: "date", policy: "date", value: fuzzMoment("2006-01-02")},
			{ddl: "uuid", policy: "uuid", value: fuzzUUIDs},
			{ddl: "numeric", policy: "decimal", value: fuzzDecimal},
		}
	}
	return []fuzzType{
		{ddl: "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", policy: "string", value: text},
		{ddl: "longblob", policy: "bytes", value: func(r *rand.Rand) fuzzValue {
			b := []byte(oneOf(r, "", "a", "\xde\xad\xbe\xef", `\x61`, `\`))
			return oneOf(r, fuzzValue{arg: b}, fuzzValue{literal: fmt.Sprintf(`x'%x'`, b)})
		}},
		{ddl: "bigint", policy: "int64", value: fuzzIntegerKey(0, 1, -5, 1<<62)},
		{ddl: "double", policy: "float64", value: func(r *rand.Rand) fuzzValue {
			x := oneOf(r, 0, 1.5, -2.25e10, 1e-7)
			return fuzzValue{x, fmt.Sprint(x)}
		}},
		{ddl: "datetime(6)", policy: "timestamp", value: fuzzMoment(layoutMicros)},
		{ddl: "date", policy: "date", value: fuzzMoment("2006-01-02")},
	}
}

// fuzzSession is what a connection sends first: mostly nothing.
func fuzzSession(r *rand.Rand, s *testdb.Server, settings string) string {
	if r.IntN(4) > 0 || strings.Contains(settings, "simple_protocol") { // pgx sends no other than UTF-8 there
		return ""
	}
	if s.Name == "postgres" {
		return "SET client_encoding = " + oneOf(r, "'UTF8'", "'LATIN1'", "'WIN1252'", "'SQL_ASCII'")
	}
	return oneOf(r, "SET NAMES utf8mb4", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES latin1", "SET NAMES ascii", "SET character_set_results = latin1", "SET character_set_results = NULL")
}

// fuzzSettings are random settings of a connection.
func fuzzSettings(r *rand.Rand, s *testdb.Server) string {
	list := []string{}
	add := func(chance int, name string, values ...string) {
		if r.IntN(chance) == 0 {
			list = append(list, name+"="+oneOf(r, values...))
		}
	}
	if s.Name == "postgres" {
		add(1, "default_query_exec_mode", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol")
		add(2, "TimeZone", "UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York")
		add(3, "DateStyle", "ISO,MDY", "ISO,DMY")
		add(3, "bytea_output", "hex", "escape")
		mode := func(m string) bool { return slices.Contains(list, "default_query_exec_mode="+m) }
		// pgx takes no statement in a mode whose cache has no room.
		if mode("cache_statement") {
			add(4, "statement_cache_capacity", "1")
		} else {
			add(4, "statement_cache_capacity", "0", "1")
		}
		if !mode("cache_describe") {
			add(4, "description_cache_capacity", "0", "1")
		}
		add(4, "extra_float_digits", "0", "3")
		return strings.Join(list, "&")
	}
	add(2, "parseTime", "true", "false")
	add(2, "loc", "UTC", "Europe%2FBerlin", "Asia%2FTokyo", "America%2FNew_York")
	add(2, "interpolateParams", "true", "false")
	add(2, "clientFoundRows", "true", "false")
	add(4, "columnsWithAlias", "true")
	add(4, "multiStatements", "true")
	add(5, "timeTruncate", "1s", "1ms", "1us")
	add(4, "time_zone", "%27%2B00%3A00%27", "%27-05%3A00%27", "%27%2B09%3A00%27")
	add(4, "charset", "utf8mb4", "utf8")
	add(6, "compress", "true")
	add(4, "tx_isolation", "%27READ-COMMITTED%27")
	if s.Product == "mysql" {
		for i := range list {
			list[i] = strings.Replace(list[i], "tx_isolation", "transaction_isolation", 1)
		}
	}
	return strings.Join(list, "&")
}
