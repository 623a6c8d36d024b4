package driver_test

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

// The tests of this file do the same through database/sql with a base driver
// that records its calls, bare and wrapped. What reaches the base, and what the
// application sees, must be the same.

// record is what a base driver was asked, in order.
type record struct{ lines []string }

func (r *record) add(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// recConn has every optional interface; variants narrow it.
type recConn struct {
	*record
	shape *shape
}

// shape says which interfaces a base has.
type shape struct {
	name  string
	conn  func(*recConn) sqldriver.Conn
	stmt  func(*recStmt) sqldriver.Stmt
	rows  func(*recRows) sqldriver.Rows
	skips bool // ExecContext and QueryContext take no arguments
}

// recResult is a result that has more than database/sql asks for.
type recResult int64

func (recResult) Extra() string                  { return "extra" }
func (recResult) LastInsertId() (int64, error)   { return 7, nil }
func (r recResult) RowsAffected() (int64, error) { return int64(r), nil }

func (c *recConn) Prepare(q string) (sqldriver.Stmt, error) {
	c.add("Prepare %s", q)
	return c.shape.stmt(&recStmt{c.record, c.shape, q}), nil
}
func (c *recConn) PrepareContext(_ context.Context, q string) (sqldriver.Stmt, error) {
	c.add("PrepareContext %s", q)
	return c.shape.stmt(&recStmt{c.record, c.shape, q}), nil
}
func (c *recConn) Close() error                 { c.add("Close"); return nil }
func (c *recConn) Begin() (sqldriver.Tx, error) { c.add("Begin"); return recTx{c.record}, nil }
func (c *recConn) BeginTx(_ context.Context, o sqldriver.TxOptions) (sqldriver.Tx, error) {
	c.add("BeginTx %v", o)
	return recTx{c.record}, nil
}
func (c *recConn) Ping(context.Context) error         { c.add("Ping"); return nil }
func (c *recConn) ResetSession(context.Context) error { c.add("ResetSession"); return nil }
func (c *recConn) IsValid() bool                      { c.add("IsValid"); return true }
func (c *recConn) CheckNamedValue(nv *sqldriver.NamedValue) error {
	c.add("conn.CheckNamedValue %d %T", nv.Ordinal, nv.Value)
	if p, ok := nv.Value.(point); ok {
		nv.Value = p.String()
	}
	return nil
}
func (c *recConn) ExecContext(_ context.Context, q string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	c.add("ExecContext %s %v", q, args)
	if c.shape.skips && len(args) > 0 {
		return nil, sqldriver.ErrSkip
	}
	return recResult(1), nil
}
func (c *recConn) QueryContext(_ context.Context, q string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	c.add("QueryContext %s %v", q, args)
	if c.shape.skips && len(args) > 0 {
		return nil, sqldriver.ErrSkip
	}
	return c.shape.rows(&recRows{record: c.record}), nil
}
func (c *recConn) Exec(q string, args []sqldriver.Value) (sqldriver.Result, error) {
	c.add("Exec %s %v", q, args)
	return recResult(1), nil
}
func (c *recConn) Query(q string, args []sqldriver.Value) (sqldriver.Rows, error) {
	c.add("Query %s %v", q, args)
	return c.shape.rows(&recRows{record: c.record}), nil
}

type recTx struct{ *record }

func (t recTx) Commit() error   { t.add("Commit"); return nil }
func (t recTx) Rollback() error { t.add("Rollback"); return nil }

type recStmt struct {
	*record
	shape *shape
	text  string
}

func (s *recStmt) Close() error  { s.add("stmt.Close"); return nil }
func (s *recStmt) NumInput() int { return strings.Count(s.text, "$") }
func (s *recStmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	s.add("stmt.Exec %v", args)
	return recResult(1), nil
}
func (s *recStmt) Query(args []sqldriver.Value) (sqldriver.Rows, error) {
	s.add("stmt.Query %v", args)
	return s.shape.rows(&recRows{record: s.record}), nil
}
func (s *recStmt) ExecContext(_ context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	s.add("stmt.ExecContext %v", args)
	return recResult(1), nil
}
func (s *recStmt) QueryContext(_ context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	s.add("stmt.QueryContext %v", args)
	return s.shape.rows(&recRows{record: s.record}), nil
}
func (s *recStmt) CheckNamedValue(nv *sqldriver.NamedValue) error {
	s.add("stmt.CheckNamedValue %d %T", nv.Ordinal, nv.Value)
	if p, ok := nv.Value.(point); ok {
		nv.Value = p.String()
	}
	return nil
}
func (s *recStmt) ColumnConverter(i int) sqldriver.ValueConverter {
	s.add("stmt.ColumnConverter %d", i)
	return recConverter{}
}

type recConverter struct{}

func (recConverter) ConvertValue(v any) (sqldriver.Value, error) {
	if p, ok := v.(point); ok {
		return "converted " + p.String(), nil
	}
	return sqldriver.DefaultParameterConverter.ConvertValue(v)
}

// recRows yields two result sets of three rows, in one buffer that it uses again.
type recRows struct {
	*record
	set, row int
	buffer   []byte
}

func (r *recRows) Columns() []string { return []string{"a", "b"} }
func (r *recRows) Close() error      { r.add("rows.Close"); return nil }
func (r *recRows) Next(dest []sqldriver.Value) error {
	if r.row == 3 {
		return io.EOF
	}
	r.row++
	r.buffer = fmt.Appendf(r.buffer[:0], "set %d row %d", r.set, r.row)
	dest[0], dest[1] = int64(r.row), r.buffer
	return nil
}
func (r *recRows) HasNextResultSet() bool { return r.set == 0 }
func (r *recRows) NextResultSet() error {
	if r.set == 1 {
		return io.EOF
	}
	r.set, r.row = 1, 0
	return nil
}
func (r *recRows) ColumnTypeScanType(int) reflect.Type        { return reflect.TypeFor[uint16]() }
func (r *recRows) ColumnTypeDatabaseTypeName(int) string      { return "POINT" }
func (r *recRows) ColumnTypeLength(int) (int64, bool)         { return 12, true }
func (r *recRows) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }
func (r *recRows) ColumnTypePrecisionScale(int) (precision, scale int64, ok bool) {
	return 7, 3, true
}

// pgxRows has no further result sets and no nullability.
type pgxRows struct {
	sqldriver.Rows
	all *recRows
}

func (r pgxRows) ColumnTypeScanType(i int) reflect.Type   { return r.all.ColumnTypeScanType(i) }
func (r pgxRows) ColumnTypeDatabaseTypeName(i int) string { return r.all.ColumnTypeDatabaseTypeName(i) }
func (r pgxRows) ColumnTypeLength(i int) (int64, bool)    { return r.all.ColumnTypeLength(i) }

// point is an argument that only the base driver knows how to convert.
type point struct{ x, y int }

func (p point) String() string { return fmt.Sprintf("(%d,%d)", p.x, p.y) }

func whole[T any, I any](x T) I { return any(x).(I) }

var shapes = []shape{
	{name: "everything", conn: whole[*recConn, sqldriver.Conn], stmt: whole[*recStmt, sqldriver.Stmt], rows: whole[*recRows, sqldriver.Rows]},
	{name: "only what is mandatory", conn: func(c *recConn) sqldriver.Conn { return struct{ sqldriver.Conn }{c} },
		stmt: func(s *recStmt) sqldriver.Stmt { return struct{ sqldriver.Stmt }{s} },
		rows: func(r *recRows) sqldriver.Rows { return struct{ sqldriver.Rows }{r} }},
	{name: "as pgx: no Validator, the connection checks values", conn: pgxConn, stmt: contextStmt,
		rows: func(r *recRows) sqldriver.Rows { return pgxRows{struct{ sqldriver.Rows }{r}, r} }},
	{name: "ErrSkip for arguments", conn: pgxConn, stmt: contextStmt, rows: whole[*recRows, sqldriver.Rows], skips: true},
	{name: "an old driver", conn: func(c *recConn) sqldriver.Conn {
		return struct {
			sqldriver.Conn
			sqldriver.Execer
			sqldriver.Queryer
		}{c, c, c}
	}, stmt: func(s *recStmt) sqldriver.Stmt {
		return struct {
			sqldriver.Stmt
			sqldriver.ColumnConverter
		}{s, s}
	}, rows: whole[*recRows, sqldriver.Rows]},
	{name: "the statement checks values", conn: func(c *recConn) sqldriver.Conn { return struct{ sqldriver.Conn }{c} },
		stmt: func(s *recStmt) sqldriver.Stmt {
			return struct {
				sqldriver.Stmt
				sqldriver.NamedValueChecker
			}{s, s}
		}, rows: whole[*recRows, sqldriver.Rows]},
}

func pgxConn(c *recConn) sqldriver.Conn {
	return struct {
		sqldriver.Conn
		sqldriver.Pinger
		sqldriver.ConnPrepareContext
		sqldriver.ConnBeginTx
		sqldriver.SessionResetter
		sqldriver.NamedValueChecker
		sqldriver.ExecerContext
		sqldriver.QueryerContext
	}{c, c, c, c, c, c, c, c}
}

func contextStmt(s *recStmt) sqldriver.Stmt {
	return struct {
		sqldriver.Stmt
		sqldriver.StmtExecContext
		sqldriver.StmtQueryContext
	}{s, s, s}
}

type recConnector struct {
	shape *shape
	*record
}

func (c recConnector) Connect(context.Context) (sqldriver.Conn, error) {
	c.add("Connect")
	return c.shape.conn(&recConn{c.record, c.shape}), nil
}
func (recConnector) Driver() sqldriver.Driver { return plainDriver{} }

type plainDriver struct{ sqldriver.Driver }

func wrapped(t *testing.T, base sqldriver.Connector) *sql.DB {
	t.Helper()
	p, err := policy.Parse("test", []byte(onlySSN))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, driver.WithPolicy(p), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", rawKey(t)),
		driver.WithSchema(driver.Schema{"accounts": {{Name: "account_number", Type: "text", Unique: true}, {Name: "ssn", Type: "bytea"}}}))
	if err != nil {
		t.Fatal(err)
	}
	return sql.OpenDB(c)
}

// use does a bit of everything and returns what the application sees.
func use(db *sql.DB) []string {
	ctx := context.Background()
	seen := &record{}
	note := func(what string, err error) { seen.add("%s: %v", what, err) }
	db.SetMaxOpenConns(1)
	note("ping", db.PingContext(ctx))
	for _, args := range [][]any{nil, {int64(1), "x"}, {point{1, 2}, "x"}, {sql.Named("n", 1), "x"}} {
		text := "UPDATE t SET a = $1 WHERE b = $2"
		if args == nil {
			text = "UPDATE t SET a = 1"
		}
		res, err := db.ExecContext(ctx, text, args...)
		note("exec", err)
		if err == nil {
			n, err := res.RowsAffected()
			seen.add("%d rows, %v", n, err)
		}
	}
	rows, err := db.QueryContext(ctx, "SELECT a, b FROM t WHERE a = $1", int64(1))
	note("query", err)
	if err == nil {
		readSets(seen, rows)
	}
	usePrepared(ctx, seen, db)
	for _, opts := range []*sql.TxOptions{nil, {Isolation: sql.LevelSerializable, ReadOnly: true}} {
		tx, err := db.BeginTx(ctx, opts)
		note("begin", err)
		if err != nil {
			continue
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM t")
		note("exec in the transaction", err)
		note("commit", tx.Commit())
	}
	useRaw(ctx, seen, db)
	note("close", db.Close())
	return seen.lines
}

func usePrepared(ctx context.Context, seen *record, db *sql.DB) {
	stmt, err := db.PrepareContext(ctx, "SELECT a, b FROM t WHERE a = $1")
	seen.add("prepare: %v", err)
	if err != nil {
		return
	}
	for _, arg := range []any{int64(1), point{3, 4}} {
		_, err = stmt.ExecContext(ctx, arg)
		seen.add("prepared exec: %v", err)
		rows, err := stmt.QueryContext(ctx, arg)
		seen.add("prepared query: %v", err)
		if err == nil {
			readSets(seen, rows)
		}
	}
	seen.add("close: %v", stmt.Close())
}

// readSets keeps RawBytes no longer than it may.
func readSets(seen *record, rows *sql.Rows) {
	for more := true; more; more = rows.NextResultSet() {
		types, err := rows.ColumnTypes()
		seen.add("%v", err)
		for _, c := range types {
			length, hasLength := c.Length()
			precision, scale, hasScale := c.DecimalSize()
			nullable, hasNullable := c.Nullable()
			seen.add("%s %s %v %d %v %d %d %v %v %v", c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, precision, scale, hasScale, nullable, hasNullable)
		}
		for rows.Next() {
			var a int64
			var b sql.RawBytes
			err := rows.Scan(&a, &b)
			seen.add("%d %s %v", a, b, err)
		}
	}
	seen.add("%v %v", rows.Err(), rows.Close())
}

// useRaw asks for what only a connection's own type has.
func useRaw(ctx context.Context, seen *record, db *sql.DB) {
	conn, err := db.Conn(ctx)
	if err != nil {
		seen.add("conn: %v", err)
		return
	}
	defer conn.Close()
	_ = conn.Raw(func(c any) error {
		if x, ok := c.(sqldriver.Execer); ok {
			res, err := x.Exec("DELETE FROM t", nil)
			seen.add("legacy exec: %T %v", res, err)
		}
		if x, ok := c.(sqldriver.ExecerContext); ok {
			res, err := x.ExecContext(ctx, "DELETE FROM t", nil)
			_, extra := res.(interface{ Extra() string })
			seen.add("exec: %T %v %v", res, extra, err)
		}
		_, valid := c.(sqldriver.Validator)
		_, pinger := c.(sqldriver.Pinger)
		seen.add("validator %v, pinger %v, beneath %T", valid, pinger, driver.Unwrap(c))
		return nil
	})
}

func TestWhatIsNotProtectedIsTheBaseDriversOwn(t *testing.T) {
	for i := range shapes {
		s := &shapes[i]
		t.Run(s.name, func(t *testing.T) {
			bare, through := &record{}, &record{}
			want := use(sql.OpenDB(recConnector{s, bare}))
			got := use(wrapped(t, recConnector{s, through}))
			compare(t, "the application saw", got, want)
			compare(t, "the base driver was asked", through.lines, bare.lines)
			if len(want) < 30 || len(bare.lines) < 15 {
				t.Errorf("only %d and %d lines were compared", len(want), len(bare.lines))
			}
		})
	}
	if len(shapes) != 6 {
		t.Error("the number of shapes changed")
	}
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s, line %d\nsealsql: %s\n   bare: %s", what, i+1, g, w)
			return
		}
	}
}

// reusing is a base whose rows hold one message each, in one buffer that it uses
// again for every row, and that stops at stopAt until its context ends.
type reusing struct {
	*recConn
	messages [][]byte
	stopAt   int
	ctx      context.Context
	closed   bool
}

func (c *reusing) Connect(context.Context) (sqldriver.Conn, error) { return c, nil }
func (*reusing) Driver() sqldriver.Driver                          { return plainDriver{} }
func (c *reusing) QueryContext(ctx context.Context, _ string, _ []sqldriver.NamedValue) (sqldriver.Rows, error) {
	c.ctx = ctx
	return &reusingRows{of: c}, nil
}

type reusingRows struct {
	of     *reusing
	at     int
	buffer []byte
}

func (*reusingRows) Columns() []string                     { return []string{"account_number", "ssn"} }
func (r *reusingRows) Close() error                        { r.of.closed = true; return nil }
func (*reusingRows) ColumnTypeScanType(int) reflect.Type   { return reflect.TypeFor[[]byte]() }
func (*reusingRows) ColumnTypeDatabaseTypeName(int) string { return "BYTEA" }
func (*reusingRows) ColumnTypeLength(int) (int64, bool)    { return 1 << 20, true }
func (r *reusingRows) Next(dest []sqldriver.Value) error {
	if r.at == len(r.of.messages) {
		return io.EOF
	}
	if r.of.stopAt > 0 && r.at >= r.of.stopAt {
		<-r.of.ctx.Done()
		return r.of.ctx.Err()
	}
	r.buffer = append(r.buffer[:0], r.of.messages[r.at]...)
	dest[0], dest[1] = fmt.Sprint(r.at), r.buffer
	r.at++
	return nil
}

func newReusing(t *testing.T, rows int) (*reusing, *sql.DB) {
	t.Helper()
	base := &reusing{recConn: &recConn{&record{}, &shapes[0]}}
	db := wrapped(t, base)
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := driver.Sealer(db)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		m, err := sealer.Seal(t.Context(), "accounts", "ssn", driver.Row{"account_number": fmt.Sprint(i)}, fmt.Sprintf("900-12-%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		base.messages = append(base.messages, m.([]byte))
	}
	return base, db
}

func TestABaseThatUsesItsBufferAgainForEveryRow(t *testing.T) {
	const n = 300
	_, db := newReusing(t, n)
	rows, err := db.QueryContext(t.Context(), "SELECT account_number, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	// The plaintext's type is what is told of a protected column.
	if n, ok := types[1].Length(); !ok || n != math.MaxInt64 || types[1].ScanType() != reflect.TypeFor[string]() || types[1].DatabaseTypeName() != "TEXT" {
		t.Errorf("the protected column is a %s, %v", types[1].DatabaseTypeName(), types[1].ScanType())
	}
	if types[0].ScanType() != reflect.TypeFor[[]byte]() || types[0].DatabaseTypeName() != "BYTEA" {
		t.Errorf("the other column is a %s, %v", types[0].DatabaseTypeName(), types[0].ScanType())
	}
	i := 0
	for ; rows.Next(); i++ {
		var number, ssn sql.RawBytes
		if err := rows.Scan(&number, &ssn); err != nil || string(number) != fmt.Sprint(i) || string(ssn) != fmt.Sprintf("900-12-%04d", i) {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	if err := rows.Err(); err != nil || i != n {
		t.Fatalf("%d rows, %v", i, err)
	}
}

func TestCancellationWhileScanning(t *testing.T) {
	base, db := newReusing(t, 300)
	base.stopAt = 5
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.QueryContext(ctx, "SELECT account_number, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	var number, ssn string
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Scan(&number, &ssn); err != nil || ssn != "900-12-0000" {
		t.Fatal(err)
	}
	cancel()
	for rows.Next() {
	}
	if err := rows.Err(); err != context.Canceled {
		t.Errorf("the rows ended in %v", err)
	}
	if err := rows.Close(); err != nil || !base.closed {
		t.Errorf("close: %v, the base's rows closed: %v", err, base.closed)
	}
}

// A base that takes arguments in prepared statements only says so by ErrSkip
// itself, and the value is sealed all the same.
func TestAProtectedValueOverABaseThatSkips(t *testing.T) {
	base := &record{}
	db := wrapped(t, recConnector{&shapes[3], base})
	defer db.Close()
	for range 2 {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)", "1", "900-12-3456"); err != nil {
			t.Fatal(err)
		}
	}
	if all := strings.Join(base.lines, "\n"); strings.Contains(all, "900-12-3456") || strings.Count(all, "stmt.ExecContext") != 2 {
		t.Errorf("the base was asked\n%s", all)
	}
}
