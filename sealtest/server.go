package sealtest

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/policy"
)

// This file seals and opens values by sending statements through the real
// driver to a server that is not there: what it would have stored is a sealed
// value, and what it pretends to have stored is opened. So a kit binds, encodes and
// checks exactly as the application's own statements do.

// protected finds a column of the policy.
func (k *Kit) protected(table, column string) (policy.Table, policy.Column, error) {
	for _, t := range k.policy.Tables() {
		if fullName(t) != table {
			continue
		}
		for _, c := range t.Columns {
			if c.Name == column {
				return t, c, nil
			}
		}
	}
	return policy.Table{}, policy.Column{}, fmt.Errorf("the policy protects no column %s.%s", table, column)
}

// sources lists the columns that a value is bound to.
func sources(c policy.Column) []string {
	var out []string
	for _, p := range c.Context {
		if p.Source != "" && !slices.Contains(out, p.Source) {
			out = append(out, p.Source)
		}
	}
	return out
}

// seal returns what the column stores for value in the row that has the given
// source values.
func (k *Kit) seal(t policy.Table, c policy.Column, row map[string]any, value any) (any, error) {
	columns := append(sources(c), c.Name)
	args, holes := make([]any, len(columns)), make([]string, len(columns))
	for i, name := range columns {
		args[i], holes[i] = row[name], "?"
		if k.dialect == "postgres" {
			holes[i] = fmt.Sprintf("$%d", i+1)
		}
	}
	args[len(args)-1] = value
	x := &exchange{}
	text := "INSERT INTO " + k.quote(fullName(t)) + " (" + k.list(columns) + ") VALUES (" + strings.Join(holes, ", ") + ")"
	if _, err := k.db.ExecContext(context.WithValue(context.Background(), exchangeKey{}, x), text, args...); err != nil {
		return nil, err
	}
	if len(x.args) != len(columns) {
		return nil, errors.New("the statement that seals a value was not carried out as it stands")
	}
	return x.args[len(columns)-1].Value, nil
}

// open returns the value of a stored one that stands in the row with the
// given source values.
func (k *Kit) open(t policy.Table, c policy.Column, row map[string]any, stored any) (any, error) {
	columns := append(sources(c), c.Name)
	x := &exchange{columns: columns, row: make([]sqldriver.Value, len(columns))}
	for i, name := range columns {
		v, err := sqldriver.DefaultParameterConverter.ConvertValue(row[name])
		if err != nil {
			return nil, err
		}
		x.row[i] = v
	}
	x.row[len(x.row)-1] = stored
	var value any
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(any)
	}
	dest[len(dest)-1] = &value
	text := "SELECT " + k.list(columns) + " FROM " + k.quote(fullName(t))
	err := k.db.QueryRowContext(context.WithValue(context.Background(), exchangeKey{}, x), text).Scan(dest...)
	return value, err
}

// quote spells a name, schema.table in two parts.
func (k *Kit) quote(name string) string {
	mark := `"`
	if k.dialect == "mysql" {
		mark = "`"
	}
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = mark + strings.ReplaceAll(p, mark, mark+mark) + mark
	}
	return strings.Join(parts, ".")
}

func (k *Kit) list(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = k.quote(c)
	}
	return strings.Join(quoted, ", ")
}

// exchange is one statement and its answer, in the statement's context.
type exchange struct {
	args    []sqldriver.NamedValue
	columns []string
	row     []sqldriver.Value
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) (*exchange, error) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x, nil
	}
	return nil, errors.New("sealtest: the kit's server takes the kit's own statements only")
}

type (
	serverConnector struct{}
	serverDriver    struct{}
	serverConn      struct{}
)

func (serverConnector) Connect(context.Context) (sqldriver.Conn, error) { return serverConn{}, nil }
func (serverConnector) Driver() sqldriver.Driver                        { return serverDriver{} }
func (serverDriver) Open(string) (sqldriver.Conn, error)                { return serverConn{}, nil }

func (serverConn) Prepare(string) (sqldriver.Stmt, error) {
	return nil, errors.New("sealtest: the kit's server prepares nothing")
}
func (serverConn) Begin() (sqldriver.Tx, error) { return serverTx{}, nil }
func (serverConn) Close() error                 { return nil }

// serverTx belongs to statements that read a row before they write it; the
// kit's statements never do.
type serverTx struct{}

func (serverTx) Commit() error   { return nil }
func (serverTx) Rollback() error { return nil }

// CheckNamedValue leaves values to the driver above.
func (serverConn) CheckNamedValue(*sqldriver.NamedValue) error { return nil }

func (serverConn) ExecContext(ctx context.Context, _ string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	x, err := exchangeOf(ctx)
	if err != nil {
		return nil, err
	}
	x.args = append(x.args, args...)
	return sqldriver.RowsAffected(1), nil
}

func (serverConn) QueryContext(ctx context.Context, _ string, _ []sqldriver.NamedValue) (sqldriver.Rows, error) {
	x, err := exchangeOf(ctx)
	if err != nil {
		return nil, err
	}
	return &serverRows{x: x}, nil
}

// serverRows is the one row of an exchange.
type serverRows struct {
	x    *exchange
	done bool
}

func (r *serverRows) Columns() []string { return r.x.columns }
func (r *serverRows) Close() error      { return nil }
func (r *serverRows) Next(dest []sqldriver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done = true
	copy(dest, r.x.row)
	return nil
}
