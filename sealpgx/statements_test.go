package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealpgx"
)

// querier is what sqlc's generated code asks for.
type querier interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
}

var (
	_ querier = (*sealpgx.Pool)(nil)
	_ querier = (*sealpgx.Conn)(nil)
	_ querier = (*sealpgx.PoolConn)(nil)
	_ querier = (*sealpgx.Tx)(nil)
)

type account struct {
	Number string
	SSN    *string `db:"ssn"`
	Tenant int64
}

// statementCases are carried out on a pool, on a connection and in a transaction, through
// sealpgx and bare on the twin, and must answer alike.
var statementCases = []struct {
	name string
	text string
	args []any
}{
	{"an insert", "INSERT INTO accounts (number, ssn) VALUES ($1, $2)", []any{"b1", "911-11-1111"}},
	{"named arguments", "INSERT INTO accounts (number, ssn) VALUES (@number, @ssn)", []any{pgx.NamedArgs{"number": "b2", "ssn": "911-11-1112"}}},
	{"strict named arguments behind a mode", "INSERT INTO accounts (number, ssn) VALUES (@number, @ssn)", []any{pgx.QueryExecModeExec, pgx.StrictNamedArgs{"number": "b3", "ssn": "911-11-1113"}}},
	{"a literal", "INSERT INTO accounts (number, ssn) VALUES ('b4', '911-11-1114') RETURNING number, ssn", nil},
	{"several rows with RETURNING", "INSERT INTO accounts (number, ssn) VALUES ($1, $2), ($3, $4) RETURNING *", []any{"b5", "911-11-1115", "b6", nil}},
	{"a read", "SELECT number, ssn, tenant FROM accounts WHERE number = $1", []any{"a1"}},
	{"a read without the row key", "SELECT ssn FROM accounts WHERE number = $1", []any{"a1"}},
	{"a star", "SELECT * FROM accounts ORDER BY number", nil},
	{"an alias and an expression beside", "SELECT a.ssn AS tax_id, upper(a.number), 1.5::numeric, ARRAY[1,2], now()::date - now()::date FROM accounts a ORDER BY a.number", nil},
	{"a join", "SELECT a.ssn, o.name, o.tags FROM accounts a JOIN other o ON o.name = a.number ORDER BY o.id", nil},
	{"no row", "SELECT number, ssn FROM accounts WHERE number = 'none'", nil},
	{"a search", "SELECT number FROM accounts WHERE ssn = $1", []any{"900-12-3456"}},
	{"a search that shows the value", "SELECT ssn, number FROM accounts WHERE ssn = $1", []any{"900-12-3456"}},
	{"a search for several", "SELECT number FROM accounts WHERE ssn = ANY($1) ORDER BY number", []any{[]string{"900-12-3456", "900-12-3457"}}},
	{"an update by key", "UPDATE accounts SET ssn = $1 WHERE number = $2", []any{"911-22-2222", "a1"}},
	{"an update row by row", "UPDATE accounts SET ssn = $1 WHERE tenant = $2", []any{"911-33-3333", 1}},
	{"an update row by row with RETURNING", "UPDATE accounts SET ssn = $1 WHERE tenant = $2 RETURNING number, ssn, tenant", []any{"911-33-3334", 1}},
	{"a server-made key", "INSERT INTO people (name, ssn) VALUES ($1, $2)", []any{"Ada", "911-44-4444"}},
	{"a server-made key with RETURNING", "INSERT INTO people (name, ssn) VALUES ($1, $2) RETURNING id, ssn, name", []any{"Ada", "911-44-4445"}},
	{"an upsert", "INSERT INTO accounts (number, ssn) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET ssn = EXCLUDED.ssn", []any{"a1", "911-55-5555"}},
	{"a delete with RETURNING", "DELETE FROM accounts WHERE number = $1 RETURNING ssn", []any{"a2"}},
	{"a unique violation", "INSERT INTO accounts (number, ssn) VALUES ($1, $2)", []any{"a1", "911-66-6666"}},
	{"too few arguments", "SELECT ssn FROM accounts WHERE number = $1", nil},
	{"an unprotected text", "SELECT id, name, tags FROM other ORDER BY id", nil},
	{"an unprotected text with named arguments", "SELECT name FROM other WHERE id = @id", []any{pgx.NamedArgs{"id": 1}}},
	{"an unprotected insert", "INSERT INTO other (id, name) VALUES ($1, $2)", []any{9, "nine"}},
	{"an error of syntax", "SELEC 1", nil},
	{"an empty text", "", nil},
	{"a statement without a result", "CREATE TABLE made (id int)", nil},
}

const seedText = `
INSERT INTO accounts (number, tenant, name, ssn) VALUES ('a1', 1, 'Ada', '900-12-3456'), ('a2', 1, 'Bob', '900-12-3457'), ('a3', 2, NULL, NULL);
INSERT INTO people (id, name, ssn) VALUES (1, 'Eve', '900-12-3458');
INSERT INTO other (id, name, tags) VALUES (1, 'a1', '{x,y}'), (2, 'a2', NULL)`

const resetText = `DELETE FROM accounts; DELETE FROM people; DELETE FROM other; SELECT setval('people_id_seq', 10); DROP TABLE IF EXISTS made`

// answerOf carries out a statement and describes what pgx answers.
func answerOf(q querier, text string, args []any) string {
	ctx := context.Background()
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		rows.Close()
		return "error: " + classOf(err)
	}
	defer rows.Close()
	var out strings.Builder
	var lines []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return "values: " + err.Error()
		}
		lines = append(lines, fmt.Sprintln(values...))
		raws := rows.RawValues()
		for i, f := range rows.FieldDescriptions() {
			var v any
			if err := rows.TypeMap().Scan(f.DataTypeOID, f.Format, raws[i], &v); err != nil || fmt.Sprint(v) != fmt.Sprint(values[i]) {
				fmt.Fprintf(&out, "raw value %d is %v, %v", i, v, err)
			}
		}
	}
	if rows.Err() != nil {
		return "error: " + classOf(rows.Err())
	}
	slices.Sort(lines)
	out.WriteString(strings.Join(lines, ""))
	for _, f := range rows.FieldDescriptions() {
		fmt.Fprintf(&out, "%s %d %d %d %d\n", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format)
	}
	fmt.Fprint(&out, rows.CommandTag())
	return out.String()
}

func classOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code != "08P01" {
		return "SQLSTATE " + e.Code
	}
	if strings.Contains(err.Error(), "arguments") || strings.Contains(err.Error(), "08P01") {
		return "the number of arguments" // pgx, or the server, says it in each mode in another way
	}
	return err.Error()
}

func TestStatementsAnswerAsInClear(t *testing.T) {
	for _, parameter := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=cache_describe"} {
		s := newSite(t, parameter)
		s.watch(t, "911-11", "911-22", "911-33", "911-44", "911-55", "911-66", "900-12")
		ran, places := 0, []string{"pool", "conn", "tx", "prepared"}
		if parameter != "" {
			places = places[:1]
		}
		for _, c := range statementCases {
			for _, on := range places {
				if on == "prepared" && len(c.args) > 0 {
					if _, mode := c.args[0].(pgx.QueryExecMode); mode {
						continue
					}
				}
				answers := [2]string{}
				for i := range answers {
					exec(t, s.twin, resetText)
					exec(t, s.bare, resetText)
					exec(t, s.twin, seedText)
					exec(t, s.pool, seedText)
					answers[i] = s.carryOut(t, i == 0, on, c.text, c.args)
				}
				if ran++; answers[0] != answers[1] {
					t.Errorf("%s, on a %s%s:\n got: %s\nwant: %s", c.name, on, parameter, answers[0], answers[1])
				}
			}
		}
		if want := len(statementCases)*len(places) - len(places)/4; ran != want {
			t.Errorf("%d statements ran, want %d", ran, want)
		}
	}
}

// carryOut carries out a statement on a connection of a kind, and describes the answer and
// the rows that the tables then hold.
func (s *site) carryOut(t *testing.T, sealed bool, on, text string, args []any) (answer string) {
	t.Helper()
	ctx := context.Background()
	var all querier = s.twin
	if sealed {
		all = s.pool
	}
	switch {
	case on == "pool":
		answer = answerOf(all, text, args)
	case on == "tx":
		err := pgx.BeginFunc(ctx, all.(interface {
			Begin(context.Context) (pgx.Tx, error)
		}), func(tx pgx.Tx) error {
			answer = answerOf(tx, text, args)
			return nil
		})
		answer += fmt.Sprint("; the end: ", err)
	default:
		s.onConn(t, sealed, func(c prepares) {
			if on == "prepared" {
				if _, err := c.Prepare(ctx, "kept", rewritten(text, args)); err != nil {
					answer = "prepare: " + classOf(err)
					return
				}
				text, args = "kept", arguments(text, args)
			}
			answer = answerOf(c, text, args)
			if on == "prepared" {
				if err := c.Deallocate(ctx, "kept"); err != nil {
					answer += err.Error()
				}
			}
		})
	}
	return answer + "\n" + answerOf(all, "SELECT * FROM accounts ORDER BY number", nil) + "\n" + answerOf(all, "SELECT id, name, ssn FROM people ORDER BY id", nil)
}

type prepares interface {
	querier
	Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)
	Deallocate(ctx context.Context, name string) error
}

func (s *site) onConn(t *testing.T, sealed bool, f func(prepares)) {
	t.Helper()
	ctx := context.Background()
	var err error
	if sealed {
		err = s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error { f(c); return nil })
	} else {
		err = s.twin.AcquireFunc(ctx, func(c *pgxpool.Conn) error { f(c.Conn()); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rewritten is the text that a rewriter of pgx's makes of a text.
func rewritten(text string, args []any) string {
	if len(args) > 0 {
		if r, ok := args[0].(pgx.QueryRewriter); ok {
			text, _, _ = r.RewriteQuery(context.Background(), nil, text, nil)
		}
	}
	return text
}

func arguments(text string, args []any) []any {
	if len(args) > 0 {
		if r, ok := args[0].(pgx.QueryRewriter); ok {
			_, args, _ = r.RewriteQuery(context.Background(), nil, text, nil)
		}
	}
	return args
}

// seeded returns a site whose tables hold the seed.
func seeded(t *testing.T) *site {
	t.Helper()
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	exec(t, s.pool, seedText)
	exec(t, s.twin, seedText)
	return s
}

func TestPgxCollectsRows(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	for name, collect := range map[string]func(q querier) (any, error){
		"structs by name": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT tenant, ssn, number FROM accounts ORDER BY number")
			return pgx.CollectRows(rows, pgx.RowToStructByName[account])
		},
		"structs by position": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT number, ssn, tenant FROM accounts ORDER BY number")
			return pgx.CollectRows(rows, pgx.RowToStructByPos[account])
		},
		"maps": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT * FROM accounts ORDER BY number")
			return pgx.CollectRows(rows, pgx.RowToMap)
		},
		"one value": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT ssn FROM accounts WHERE number = $1", "a1")
			return pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
		},
		"no row": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT ssn FROM accounts WHERE number = $1", "none")
			return pgx.CollectOneRow(rows, pgx.RowTo[string])
		},
		"no row by QueryRow": func(q querier) (any, error) {
			var ssn string
			return ssn, q.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = $1", "none").Scan(&ssn)
		},
		"each row": func(q querier) (any, error) {
			rows, _ := q.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
			var number string
			var ssn pgtype.Text
			var all []string
			tag, err := pgx.ForEachRow(rows, []any{&number, &ssn}, func() error { all = append(all, number+ssn.String); return nil })
			return fmt.Sprint(all, tag), err
		},
		"too many destinations": func(q querier) (any, error) {
			var a, b string
			return nil, q.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&a, &b)
		},
		"driver bytes": func(q querier) (any, error) {
			var b pgtype.DriverBytes
			return nil, q.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&b)
		},
	} {
		got, gotErr := collect(s.pool)
		want, wantErr := collect(s.twin)
		if fmt.Sprint(spelled(got), gotErr) != fmt.Sprint(spelled(want), wantErr) {
			t.Errorf("%s:\n got %v, %v\nwant %v, %v", name, spelled(got), gotErr, spelled(want), wantErr)
		}
	}
	if stat := s.pool.Stat(); stat.AcquiredConns() != 0 {
		t.Errorf("%d connections were not given back", stat.AcquiredConns())
	}
}

func spelled(v any) any {
	if list, ok := v.([]account); ok {
		var out []string
		for _, a := range list {
			ssn := "NULL"
			if a.SSN != nil {
				ssn = *a.SSN
			}
			out = append(out, fmt.Sprint(a.Number, ssn, a.Tenant))
		}
		return out
	}
	return v
}

// TestResultFormats asks for text and binary by position and by type.
func TestResultFormats(t *testing.T) {
	s := newSite(t, "")
	for _, q := range []querier{s.pool, s.twin} {
		exec(t, q, "INSERT INTO items (id, s, n, at, amount, u, b, d, f, raw, doc) VALUES (1, 'x', 7, '2024-05-06 07:08:09.5Z', '1.50', '77777777-0000-0000-0000-000000000001', true, '1977-07-07', 1.5, $1, '[1]')", []byte{1, 2})
	}
	const query = "SELECT n, s, at, amount, u, b, d, f, raw, id FROM items"
	cases := map[string][]any{
		"the default":            nil,
		"all as text":            {pgx.QueryResultFormats{0}},
		"all binary":             {pgx.QueryResultFormats{1}},
		"none":                   {pgx.QueryResultFormats{}},
		"by position":            {pgx.QueryResultFormats{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}},
		"by type":                {pgx.QueryResultFormatsByOID{pgtype.Int8OID: 1, pgtype.UUIDOID: 1}},
		"by type, in exec mode":  {pgx.QueryExecModeExec, pgx.QueryResultFormatsByOID{pgtype.Int8OID: 1}},
		"by position, described": {pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{1, 0, 1, 0, 1, 0, 1, 0, 1, 0}},
	}
	for name, args := range cases {
		var raw [2]string
		for i, q := range []querier{s.pool, s.twin} {
			rows, err := q.Query(context.Background(), query, args...)
			if err != nil {
				t.Fatal(name, err)
			}
			for rows.Next() {
				raw[i] = fmt.Sprintf("%x", rows.RawValues())
				for _, f := range rows.FieldDescriptions() {
					raw[i] += fmt.Sprint(f.Format)
				}
			}
			if rows.Err() != nil {
				t.Error(name, rows.Err())
			}
		}
		if raw[0] != raw[1] || raw[0] == "" {
			t.Errorf("%s:\n got %s\nwant %s", name, raw[0], raw[1])
		}
	}
	rows, err := s.pool.Query(context.Background(), query, pgx.QueryResultFormats{0, 1})
	if rows.Close(); err == nil {
		t.Error("too few formats were taken")
	}
}

func TestARefusedStatementIsNotSent(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	cases := map[string]func() error{
		"an expression": func() error { _, err := s.pool.Exec(ctx, "UPDATE accounts SET ssn = ssn || 'x'"); return err },
		"a comparison": func() error {
			return s.pool.QueryRow(ctx, "SELECT number FROM accounts WHERE ssn LIKE '900%'").Scan(nil)
		},
		"a text that begins a transaction": func() error {
			_, err := s.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; UPDATE accounts SET ssn = NULL WHERE number = 'a1'"})
			return err
		},
		"a text that commits": func() error {
			_, err := s.pool.BeginTx(ctx, pgx.TxOptions{CommitQuery: "UPDATE accounts SET ssn = NULL WHERE number = 'a1'; COMMIT"})
			return err
		},
	}
	for name, f := range cases {
		if err := f(); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestAMovedValueIsNotHandedOut moves a value behind sealpgx's back.
func TestAMovedValueIsNotHandedOut(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	exec(t, s.bare, "UPDATE accounts SET ssn = (SELECT ssn FROM accounts WHERE number = 'a1') WHERE number = 'a2'")
	var ssn string
	err := s.pool.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a2'").Scan(&ssn)
	if !errors.Is(err, driver.ErrMismatch) || ssn != "" {
		t.Errorf("one row: %q, %v", ssn, err)
	}
	rows, err := s.pool.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if !errors.Is(rows.Err(), driver.ErrMismatch) || n != 1 {
		t.Errorf("after %d rows: %v", n, rows.Err())
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestAScanErrorDoesNotQuoteTheValue scans into a type that does not fit.
func TestAScanErrorDoesNotQuoteTheValue(t *testing.T) {
	s := seeded(t)
	var n int
	err := s.pool.QueryRow(context.Background(), "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(&n)
	if e, ok := errors.AsType[pgx.ScanArgError](err); !ok || e.FieldName != "ssn" || strings.Contains(err.Error(), "900-12") {
		t.Errorf("%v", err)
	}
}

// TestAUniqueTermNamesItsColumn violates a unique key of terms in each way to write.
func TestAUniqueTermNamesItsColumn(t *testing.T) {
	s := seeded(t)
	ctx := context.Background()
	exec(t, s.bare, "ALTER TABLE accounts ADD CONSTRAINT one_ssn UNIQUE (ssn_eq) DEFERRABLE INITIALLY IMMEDIATE")
	const insert = "INSERT INTO accounts (number, ssn) VALUES ($1, $2)"
	for name, write := range map[string]func() error{
		"Exec": func() error { _, err := s.pool.Exec(ctx, insert, "b1", "900-12-3456"); return err },
		"Query": func() error {
			rows, _ := s.pool.Query(ctx, insert+" RETURNING ssn", "b1", "900-12-3456")
			_, err := pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		},
		"a batch": func() error {
			b := &pgx.Batch{}
			b.Queue(insert, "b1", "900-12-3456")
			return s.pool.SendBatch(ctx, b).Close()
		},
		"COPY": func() error {
			_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"b1", "900-12-3456"}}))
			return err
		},
		"a commit": func() error {
			return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
				exec(t, tx, "SET CONSTRAINTS ALL DEFERRED")
				exec(t, tx, insert, "b1", "900-12-3456")
				return nil
			})
		},
	} {
		err := write()
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "23505" || !strings.Contains(err.Error(), "accounts.ssn") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
