package integration

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	sealdriver "github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// Types that pgx and sealsql may take for different values.
type (
	status  int64
	code    [16]byte
	texter  string
	counter struct{ asked *int }
)

func (status) String() string                 { return "printed" }
func (c code) String() string                 { return "printed" }
func (t texter) Value() (driver.Value, error) { return "valued", nil }
func (t texter) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: string(t), Valid: true}, nil
}

// Value answers otherwise each time that it is asked.
func (c counter) Value() (driver.Value, error) {
	*c.asked++
	return fmt.Sprintf("answer %d", *c.asked), nil
}

// TestArgumentsAreWhatTheBaseDriverSends writes arguments of unusual Go types as row keys
// and as values, beside a bare twin, in every mode of pgx.
func TestArgumentsAreWhatTheBaseDriverSends(t *testing.T) {
	server := testdb.Postgres(t)
	name := server.NewDatabase(t)
	bare := server.Open(t, name)
	_, arn := kms()
	ran := 0
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		for _, c := range []struct {
			name, key, policy, clear string
			arg                      func() any
			literal                  string
		}{
			{"a named number with String", "bigint", "string", "text", func() any { return status(7) }, ""},
			{"a named number into text", "text", "int64", "bigint", func() any { return status(7) }, ""},
			{"a duration", "text", "string", "text", func() any { return 5 * time.Nanosecond }, ""},
			{"an array with String", "uuid", "uuid", "uuid", func() any { return code{1, 2} }, ""},
			{"a TextValuer beside a Valuer", "text", "string", "text", func() any { return texter("texted") }, ""},
			{"bytes into text", "text", "string", "text", func() any { return []byte("abc") }, ""},
			{"a float32", "numeric", "decimal", "numeric", func() any { return float32(0.5) }, ""},
			{"a Valuer that changes its mind", "text", "string", "text", func() any { return counter{new(int)} }, ""},
			{"a text of bytes", "bytea", "bytes", "bytea", func() any { return `\xdeadbeef` }, ""},
			{"a literal of bytes", "bytea", "bytes", "bytea", nil, `'\xdeadbeef'`},
			{"a literal with an escape", "bytea", "bytes", "bytea", nil, `'a\\b\001'`},
			{"bytes", "bytea", "bytes", "bytea", func() any { return []byte(`\xde`) }, ""},
		} {
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				ran++
				for _, text := range []string{"DROP TABLE IF EXISTS args, args_bare", "CREATE TABLE args (k " + c.key + " PRIMARY KEY, v bytea)", "CREATE TABLE args_bare (k " + c.key + " PRIMARY KEY, v " + c.clear + ")"} {
					if _, err := bare.Exec(text); err != nil {
						t.Fatal(err)
					}
				}
				p, err := policy.Parse("test", fmt.Appendf(nil, "version: 1\nkeyrings: {pii: {kms: {keys: [%q]}}}\ntables:\n  args: {row_key: [k], columns: {v: {keyring: pii, type: %s}}}\n", arn, c.policy))
				if err != nil {
					t.Fatal(err)
				}
				k, _ := kms()
				bareName, dsn := server.DSN(server.Addr(), name)
				dsn = withSettings(dsn, "default_query_exec_mode="+mode)
				db := open(t, bareName, dsn, sealdriver.WithPolicy(p), sealdriver.WithAWSConfig(k.AWSConfig("us-east-1")))
				twin := openBare(t, bareName, dsn)
				values, arg := "($1, $2)", func() []any { return []any{c.arg(), c.arg()} }
				if c.arg == nil {
					values, arg = "("+c.literal+", "+c.literal+")", func() []any { return nil }
				}
				_, gotErr := db.Exec("INSERT INTO args (k, v) VALUES "+values, arg()...)
				_, wantErr := twin.Exec("INSERT INTO args_bare (k, v) VALUES "+values, arg()...)
				if (gotErr == nil) != (wantErr == nil) {
					t.Fatalf("got %v, bare %v", gotErr, wantErr)
				}
				got, _, gotErr := readTyped(context.Background(), db, "SELECT k, v FROM args")
				want, _, wantErr := readTyped(context.Background(), twin, "SELECT k, v FROM args_bare")
				if gotErr != nil || wantErr != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %q, %v; bare %q, %v", got, gotErr, want, wantErr)
				}
			})
		}
	}
	if ran != 60 {
		t.Errorf("%d cases ran", ran)
	}
}
