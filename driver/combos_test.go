package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"
	"testing"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// The bases of these tests are made by the combine functions too: an object
// with exactly the interfaces in set, over nothing.

func TestConnectionHasExactlyTheInterfacesOfTheOneBeneath(t *testing.T) {
	cases := 0
	for set := range uint(256) {
		base := combineConn(&conn{}, set)
		if got := connInterfaces(wrapConn(base, nil)); got != connInterfaces(base) {
			t.Errorf("set %b: wrapped %010b, base %010b", set, got, connInterfaces(base))
		}
		cases++
	}
	if cases != 256 {
		t.Fatalf("ran %d cases, want 256", cases)
	}
}

func connInterfaces(c sqldriver.Conn) uint {
	_, pinger := c.(sqldriver.Pinger)
	_, preparer := c.(sqldriver.ConnPrepareContext)
	_, beginner := c.(sqldriver.ConnBeginTx)
	_, resetter := c.(sqldriver.SessionResetter)
	_, validator := c.(sqldriver.Validator)
	_, checker := c.(sqldriver.NamedValueChecker)
	_, execer := c.(sqldriver.ExecerContext)
	_, queryer := c.(sqldriver.QueryerContext)
	_, legacyExecer := c.(sqldriver.Execer)
	_, legacyQueryer := c.(sqldriver.Queryer)
	return bits(pinger, preparer, beginner, resetter, validator, checker, execer, queryer, legacyExecer, legacyQueryer)
}

// onlyExecer has ExecerContext and not QueryerContext.
type onlyExecer struct {
	sqldriver.Conn
	sqldriver.ExecerContext
}

func TestHalfAPairIsCompletedByAMethodThatSkips(t *testing.T) {
	c := wrapConn(onlyExecer{}, &Connector{})
	q, ok := c.(sqldriver.QueryerContext)
	if !ok {
		t.Fatal("the connection has no QueryerContext")
	}
	if _, err := q.QueryContext(context.Background(), "SELECT 1", nil); err != sqldriver.ErrSkip {
		t.Fatalf("QueryContext returned %v, want driver.ErrSkip itself", err)
	}
}

func TestStatementHasExactlyTheInterfacesOfTheOneBeneath(t *testing.T) {
	cases := 0
	for set := range uint(16) {
		base := combineStmt(&stmt{}, set)
		c := &conn{ctor: &Connector{}}
		got, err := c.preparePlan(t.Context(), nil, &sqlplan.Plan{Route: sqlplan.Direct{}}, "x", func(context.Context, string) (sqldriver.Stmt, error) { return base, nil })
		if err != nil {
			t.Fatal(err)
		}
		if stmtInterfaces(got) != stmtInterfaces(base) {
			t.Errorf("set %b: wrapped %04b, base %04b", set, stmtInterfaces(got), stmtInterfaces(base))
		}
		cases++
	}
	if cases != 16 {
		t.Fatalf("ran %d cases, want 16", cases)
	}
}

func stmtInterfaces(s sqldriver.Stmt) uint {
	_, execer := s.(sqldriver.StmtExecContext)
	_, queryer := s.(sqldriver.StmtQueryContext)
	_, checker := s.(sqldriver.NamedValueChecker)
	_, converter := s.(sqldriver.ColumnConverter)
	return bits(execer, queryer, checker, converter)
}

func TestRowsHaveExactlyTheInterfacesOfTheOnesBeneath(t *testing.T) {
	cases := 0
	for set := range uint(64) {
		base := combineRows(&rows{}, set)
		got := wrapRows(t.Context(), &exec.Answer{Rows: base}, "")
		if rowsInterfaces(got) != rowsInterfaces(base) {
			t.Errorf("set %b: wrapped %06b, base %06b", set, rowsInterfaces(got), rowsInterfaces(base))
		}
		cases++
	}
	if cases != 64 {
		t.Fatalf("ran %d cases, want 64", cases)
	}
}

func rowsInterfaces(r sqldriver.Rows) uint {
	_, nextSet := r.(sqldriver.RowsNextResultSet)
	_, scanType := r.(sqldriver.RowsColumnTypeScanType)
	_, typeName := r.(sqldriver.RowsColumnTypeDatabaseTypeName)
	_, length := r.(sqldriver.RowsColumnTypeLength)
	_, nullable := r.(sqldriver.RowsColumnTypeNullable)
	_, precision := r.(sqldriver.RowsColumnTypePrecisionScale)
	return bits(nextSet, scanType, typeName, length, nullable, precision)
}

// plainDriver has no OpenConnector; contextDriver has.
type plainDriver struct{ sqldriver.Driver }

type contextDriver struct {
	sqldriver.Driver
	sqldriver.DriverContext
}

func TestDriverHasOpenConnectorOnlyIfTheOneBeneathHas(t *testing.T) {
	if _, ok := wrapDriver(nil, plainDriver{}).(sqldriver.DriverContext); ok {
		t.Error("a driver without OpenConnector was given one")
	}
	if _, ok := wrapDriver(nil, contextDriver{}).(sqldriver.DriverContext); !ok {
		t.Error("a driver's OpenConnector was hidden")
	}
}
