package integration

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// Types of arguments that say in several ways what they are.
type (
	marshaler struct{ s string }
	both      struct{ s string }
	small     int8
	yesno     bool
	half      float32
	spelt     string
	// absent's method is its pointer's, which is called although it is nil; of a nil
	// pointer to a chained, whose method is its own, there is nothing to call.
	absent  struct{}
	chained string
)

func (*absent) Value() (sqldriver.Value, error)   { return "7", nil }
func (c chained) Value() (sqldriver.Value, error) { return valuer(c), nil }

func (m marshaler) MarshalText() ([]byte, error) { return []byte(m.s), nil }
func (b both) MarshalText() ([]byte, error)      { return []byte("marshalled"), nil }
func (b both) TextValue() (pgtype.Text, error)   { return pgtype.Text{String: b.s, Valid: true}, nil }
func (b both) String() string                    { return "printed" }
func (small) String() string                     { return "printed" }
func (spelt) String() string                     { return "printed" }
func pointer[T any](v T) *T                      { return &v }

// productArgs are arguments of one Go type each.
func productArgs() map[string]any {
	at := time.Date(2024, 3, 31, 1, 30, 15, 123456789, time.UTC)
	tokyo := time.FixedZone("tokyo", 9*3600)
	args := map[string]any{
		"nil": nil, "a nil pointer": (*string)(nil), "nil bytes": []byte(nil), "a null string": sql.NullString{}, "a null int": sql.NullInt64{},
		"true": true, "a named bool": yesno(true), "a string": "7", "a text that is no number": "abc", "an empty string": "", "a named string": spelt("7"), "a pointer to a string": pointer("7"),
		"a valuer": valuer("7"), "a marshaler": marshaler{"7"}, "a marshaler that is a TextValuer": both{"7"}, "a TextValuer that is a Valuer": texter("7"),
		"a nil pointer that is a Valuer": (*absent)(nil), "a nil pointer to a Valuer": (*chained)(nil), "a Valuer of a Valuer": chained("7"),
		"a sql.NullString": sql.NullString{String: "7", Valid: true}, "a sql.NullInt64": sql.NullInt64{Int64: 7, Valid: true}, "a sql.NullTime": sql.NullTime{Time: at, Valid: true},
		"a sql.Null": sql.Null[int16]{V: 7, Valid: true}, "bytes": []byte("7"), "bytes that are no text": []byte{0xff, 0x00, 0x41}, "raw JSON": json.RawMessage(`{"a": 1}`), "a JSON text": `{"a":1}`,
		"a duration": 5 * time.Nanosecond, "an array": [16]byte{1, 2}, "an array with String": code{1, 2}, "a uuid": "ab000000-0000-0000-0000-00000000000F",
		"a float32": float32(0.5), "a float32 of many digits": float32(1.1), "a named float": half(0.5), "a float": 1.5, "a great float": 1e21, "no number": math.NaN(), "a decimal": "7.50",
		"a high uint64": uint64(math.MaxUint64), "a pgtype.Int8": pgtype.Int8{Int64: 7, Valid: true}, "a pgtype.Text": pgtype.Text{String: "7", Valid: true},
		"UTC": at, "Tokyo": at.In(tokyo), "midnight": time.Date(2024, 3, 31, 0, 0, 0, 0, time.UTC), "whole seconds": at.Truncate(time.Second), "a text of a date": "2024-03-31", "a text of a time": "2024-03-31 01:30:15",
		"a zoned text": "2024-03-31 01:30:15+09",
	}
	for i, n := range []any{int(7), int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7), small(7), status(7), pointer(7), int64(-5), int64(1 << 40)} {
		args[fmt.Sprintf("integer %d, %T", i, n)] = n
	}
	return args
}

// productTypes are column types, and the policy's type of a protected column in their place.
func productTypes(s *testdb.Server) map[string]string {
	if s.Name == "postgres" {
		return map[string]string{"text": "string", "varchar(60)": "string", "numeric": "decimal", "integer": "int64", "bigint": "int64", "bytea": "bytes", "timestamp": "timestamp", "timestamptz": "timestamp",
			"date": "date", "uuid": "uuid", "json": "json", "boolean": "bool", "double precision": "float64"}
	}
	return map[string]string{"varchar(60)": "string", "decimal(30,4)": "decimal", "int": "int64", "bigint": "int64", "varbinary(60)": "bytes", "datetime(6)": "timestamp", "date": "date", "double": "float64"}
}

// product is one mode's connections.
type product struct {
	*testing.T
	server            *testdb.Server
	sealed, bare, raw *sql.DB
	ran, rejected     int
	wider             int // protected columns that took what the twin's type does not hold as it is
}

// TestEveryArgumentIntoEveryColumn passes arguments of every Go type for columns of
// every type: unprotected, as the row key, and protected, beside a bare twin in every
// mode of the driver. What is stored is what the bare driver stores, and what fails
// fails. A key or a value that the column would change may be rejected instead. A
// protected column has the policy's type, which is wider than the twin's: see wider.
func TestEveryArgumentIntoEveryColumn(t *testing.T) {
	for _, server := range testdb.Each(t) {
		modes := []string{"", "interpolateParams=true", "interpolateParams=true&parseTime=true&loc=Asia%2FTokyo"}
		if server.Name == "postgres" {
			modes = nil
			for _, m := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
				modes = append(modes, "default_query_exec_mode="+m)
			}
		}
		for _, mode := range modes {
			t.Run(server.String()+"/"+mode, func(t *testing.T) { newProduct(t, server, mode).run() })
		}
	}
}

func newProduct(t *testing.T, server *testdb.Server, mode string) *product {
	p := &product{T: t, server: server}
	name := server.NewDatabase(t)
	p.raw = server.Open(t, name)
	tables, blob := "", "bytea"
	if server.Name == "mysql" {
		blob = "longblob"
	}
	for i, typ := range p.types() {
		kept := productTypes(server)[typ]
		tables += fmt.Sprintf("  t%d: {row_key: [id], columns: {v: {keyring: pii, type: %s}}}\n  keyed%d: {row_key: [k], columns: {v: {keyring: pii, type: string}}}\n", i, kept, i)
		for _, x := range []struct{ suffix, v, s string }{{"", blob, blob}, {"_bare", typ, "text"}} {
			texts := []string{fmt.Sprintf("CREATE TABLE t%d%s (id int PRIMARY KEY, u %s, v %s)", i, x.suffix, typ, x.v)}
			if typ != "json" {
				texts = append(texts, fmt.Sprintf("CREATE TABLE keyed%d%s (k %s PRIMARY KEY, v %s)", i, x.suffix, typ, x.s))
			}
			for _, text := range texts {
				if _, err := p.raw.Exec(text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
		}
	}
	_, arn := kms()
	pol, err := policy.Parse("test", fmt.Appendf(nil, "version: 1\nkeyrings: {pii: {kms: {keys: [%q]}}}\ntables:\n%s", arn, tables))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := kms()
	bareName, dsn := server.DSN(server.Addr(), name)
	dsn = withSettings(dsn, mode)
	p.sealed = open(t, bareName, dsn, driver.WithPolicy(pol), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	p.bare = openBare(t, bareName, dsn)
	return p
}

// types are the column types in a fixed order.
func (p *product) types() []string { return slices.Sorted(maps.Keys(productTypes(p.server))) }

func (p *product) run() {
	args := productArgs()
	names := slices.Sorted(maps.Keys(args))
	for i, typ := range p.types() {
		for n, name := range names {
			p.write(name+" into an unprotected "+typ, fmt.Sprintf("INSERT INTO t%d# (id, u) VALUES (%d, ?)", i, n), fmt.Sprintf("SELECT u FROM t%d# WHERE id = %d", i, n), args[name], roleUnprotected)
			p.write(name+" into a protected "+typ, fmt.Sprintf("INSERT INTO t%d# (id, v) VALUES (%d, ?)", i, 1000+n), fmt.Sprintf("SELECT v FROM t%d# WHERE id = %d", i, 1000+n), args[name], roleProtected)
			if typ == "json" {
				continue
			}
			p.write(name+" as a key of "+typ, fmt.Sprintf("INSERT INTO keyed%d# (k, v) VALUES (?, 'x')", i), fmt.Sprintf("SELECT k, v FROM keyed%d#", i), args[name], roleKey)
			for _, suffix := range []string{"", "_bare"} {
				if _, err := p.raw.Exec(fmt.Sprintf("DELETE FROM keyed%d%s", i, suffix)); err != nil {
					p.Fatal(err)
				}
			}
		}
	}
	if p.ran < 2000 && p.server.Name == "postgres" || p.ran < 1200 || p.rejected > p.ran/4 {
		p.Errorf("%d cases ran, of which %d were rejected", p.ran, p.rejected)
	}
	p.Logf("%d cases ran, of which %d were rejected by sealsql alone, and %d are wider in a protected column", p.ran, p.rejected, p.wider)
}

// What a column is that takes an argument.
const (
	roleUnprotected = iota
	roleKey
	roleProtected
)

// write sends a statement through sealsql and bare, and compares what is stored.
func (p *product) write(what, text, read string, arg any, role int) {
	p.ran++
	if p.server.Name == "postgres" {
		text = strings.Replace(text, "?", "$1", 1)
	}
	ctx := context.Background()
	_, gotErr := p.sealed.ExecContext(ctx, strings.Replace(text, "#", "", 1), arg)
	_, wantErr := p.bare.ExecContext(ctx, strings.Replace(text, "#", "_bare", 1), arg)
	if role != roleUnprotected && gotErr != nil && (errors.Is(gotErr, driver.ErrValue) || errors.Is(gotErr, driver.ErrRefused)) {
		if wantErr == nil {
			p.rejected++
		}
		return
	}
	if role == roleProtected && gotErr == nil && wantErr != nil {
		p.wider++
		return
	}
	if (gotErr == nil) != (wantErr == nil) {
		p.Errorf("%s: got %v, bare %v", what, gotErr, wantErr)
		return
	}
	got, _, gotErr := readTyped(ctx, p.sealed, strings.Replace(read, "#", "", 1))
	want, _, wantErr := readTyped(ctx, p.bare, strings.Replace(read, "#", "_bare", 1))
	if role == roleProtected && gotErr == nil && wantErr == nil && wider(what, loosened(got), loosened(want)) {
		p.wider++
		return
	}
	if gotErr != nil || fmt.Sprint(loosened(got)) != fmt.Sprint(loosened(want)) {
		p.Errorf("%s: got %q, %v; bare %q, %v", what, got, gotErr, want, wantErr)
	}
}

// wider reports whether a protected column holds a value that the twin's type changes. The
// policy's types have no scale and no width, a float32 is the float64 of its value, a
// timestamp is an instant with nanoseconds, and JSON is what encoding/json makes of a
// value that is none.
func wider(what string, got, want []string) bool {
	if len(got) != 1 || len(want) != 1 || got[0] == want[0] {
		return false
	}
	g, gErr := strconv.ParseFloat(got[0], 64)
	w, wErr := strconv.ParseFloat(want[0], 64)
	switch {
	case gErr == nil && wErr == nil:
		return math.Abs(g-w) <= 1e-6*math.Abs(w)
	case strings.HasSuffix(what, "timestamp"), strings.HasSuffix(what, "timestamptz"), strings.HasSuffix(what, "datetime(6)"):
		return strings.HasPrefix(got[0], "2024-03-3") && strings.HasPrefix(want[0], "2024-03-3")
	}
	return strings.HasPrefix(what, "a marshaler that is a TextValuer into a protected json")
}

// loosened drops the Go types of what was read.
func loosened(lines []string) (list []string) {
	for _, line := range lines {
		for cell := range strings.SplitSeq(line, "|") {
			_, v, _ := strings.Cut(cell, ":")
			list = append(list, v)
		}
	}
	return list
}
