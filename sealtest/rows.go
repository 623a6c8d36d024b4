package sealtest

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// Row is a row of a table or a result, by column name, in plaintext.
type Row map[string]any

// Row returns the row as the table stores it: each protected column of it is
// sealed, NULL stays NULL. It must have the columns that values are bound to.
func (k *Kit) Row(table string, row Row) Row {
	k.t.Helper()
	out := Row{}
	known := false
	for _, t := range k.policy.Tables() {
		if t.FullName() != table {
			continue
		}
		known = true
		for name, v := range row {
			out[name] = v
			i := slices.IndexFunc(t.Columns, func(c policy.Column) bool { return c.Name == name })
			if i < 0 || v == nil {
				continue
			}
			out[name] = k.Seal(table, name, row, v)
		}
	}
	if !known {
		k.t.Fatalf("sealtest: the policy protects no table %q", table)
	}
	return out
}

// Rows returns what the server answers to a query with the given rows, for
// sqlmock.NewRows and AddRow: the columns, with those that sealsql adds to check
// where a value belongs, and the rows' values with protected ones sealed.
//
// A Row has the query's columns by the names that the application sees, in
// plaintext, and, for columns that sealsql adds, the columns that values are bound
// to by their names in the table, as "column" or, where that is ambiguous,
// "table.column".
//
//	columns, values := kit.Rows("SELECT ssn FROM accounts WHERE account_number = $1",
//		sealtest.Row{"ssn": "900-12-3456", "account_number": "4000000001"})
//	mock.ExpectQuery(…).WillReturnRows(sqlmock.NewRows(columns).AddRows(values...))
func (k *Kit) Rows(query string, rows ...Row) (columns []string, values [][]sqldriver.Value) {
	k.t.Helper()
	x := k.Explain(query)
	if len(x.Results) == 0 {
		k.t.Fatalf("sealtest: no protected value is in the result of %s; make its rows without the kit", query)
	}
	result := x.Results[0]
	bound := boundColumns(result)
	for i, c := range result {
		if c.Name == "" {
			c.Name = fmt.Sprintf("column%d", i+1)
		}
		columns = append(columns, c.Name)
	}
	for _, row := range rows {
		v, err := k.answer(result, bound, row)
		if err != nil {
			k.t.Fatalf("sealtest: a row for %s: %v", query, err)
		}
		values = append(values, v)
	}
	return columns, values
}

// LockedRows returns what the server answers to the query with which sealsql
// locks and reads the rows that an UPDATE writes row by row. Within a transaction of the
// application's, SAVEPOINT sealsql_statement comes before it and RELEASE SAVEPOINT
// sealsql_statement after the UPDATE. Each Row has the
// table's row key, what its values are bound to, and, if the statement changes
// any of those, the protected values that are sealed again, in plaintext.
func (k *Kit) LockedRows(update string, rows ...Row) (columns []string, values [][]sqldriver.Value) {
	k.t.Helper()
	x := k.Explain(update)
	if len(x.Locked) == 0 {
		k.t.Fatalf("sealtest: no rows are locked for %s", update)
	}
	for _, row := range rows {
		stored := k.Row(x.LockedTable, row)
		answer := make([]sqldriver.Value, len(x.Locked))
		for i, name := range x.Locked {
			v, ok := stored[name]
			if !ok {
				k.t.Fatalf("sealtest: a row for %s lacks %s", update, name)
			}
			var err error
			if answer[i], err = convert(v); err != nil {
				k.t.Fatalf("sealtest: a row for %s: %s: %v", update, name, err)
			}
		}
		values = append(values, answer)
	}
	return x.Locked, values
}

func convert(v any) (sqldriver.Value, error) {
	if sqldriver.IsValue(v) {
		return v, nil
	}
	return sqldriver.DefaultParameterConverter.ConvertValue(v)
}

// source is a column of a table that a result column shows.
type source struct{ table, column string }

// boundColumns says which column of which table the result's columns show, as far
// as protected values are bound to it.
func boundColumns(columns []driver.ExplainedColumn) map[int]source {
	out := map[int]source{}
	for _, c := range columns {
		for name, at := range c.Sources {
			if at >= 0 {
				out[at] = source{c.Table, name}
			}
		}
	}
	return out
}

// answer returns one row as the server returns it.
func (k *Kit) answer(columns []driver.ExplainedColumn, bound map[int]source, row Row) ([]sqldriver.Value, error) {
	used := map[string]bool{}
	plain := make([]any, len(columns))
	terms := termColumns(columns)
	for i, c := range columns {
		if _, ok := terms[i]; ok {
			continue // it is made of the value
		}
		names := []string{c.Name}
		if c.Hidden && c.Column != "" {
			names = []string{c.Table + "." + c.Column, c.Column}
		}
		if from, ok := bound[i]; ok {
			names = []string{from.table + "." + from.column, from.column}
			if !c.Hidden {
				names = append([]string{c.Name}, names...)
			}
		}
		found := false
		for _, name := range names {
			if v, ok := row[name]; ok {
				plain[i], used[name], found = v, true, true
				break
			}
		}
		if !found {
			return nil, fmt.Errorf("it lacks %s", names[len(names)-1])
		}
	}
	for name := range row {
		if !used[name] {
			return nil, fmt.Errorf("the result has no column %q", name)
		}
	}
	for i, of := range terms {
		var err error
		if plain[i], err = k.term(columns[of].Table, columns[of].Column, row, plain[of]); err != nil {
			return nil, err
		}
	}
	out := make([]sqldriver.Value, len(columns))
	for i, c := range columns {
		v, err := k.stored(c, plain, plain[i])
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// termColumns says of which column's value each column of terms holds the term.
func termColumns(columns []driver.ExplainedColumn) map[int]int {
	out := map[int]int{}
	for i, c := range columns {
		if c.Column != "" && c.Term >= 0 {
			out[c.Term] = i
		}
	}
	return out
}

// stored is what the server returns for a value of a result column.
func (k *Kit) stored(c driver.ExplainedColumn, row []any, v any) (sqldriver.Value, error) {
	if c.Column == "" || v == nil {
		return convert(v)
	}
	of := Row{}
	for name, at := range c.Sources {
		if at < 0 {
			return nil, fmt.Errorf("the query does not show %s, which %s is bound to", name, c.Name)
		}
		of[name] = row[at]
	}
	return k.sealer.Seal(context.Background(), c.Table, c.Column, driver.Row(of), v)
}

// QueryMatcher is a sqlmock.QueryMatcher: an expectation is written in the
// application's own words, and matches the texts that sealsql sends for it, hidden
// columns and all. For a statement that takes several texts, such as an UPDATE
// row by row, each is expected under the application's text. White space does not
// count. Nothing else is forgiven: a part of a text, or a pattern, does not match.
func (k *Kit) QueryMatcher() QueryMatcher { return QueryMatcher{k} }

// QueryMatcher is what [Kit.QueryMatcher] returns.
type QueryMatcher struct{ kit *Kit }

// Match implements sqlmock.QueryMatcher.
func (m QueryMatcher) Match(expected, actual string) error {
	x, err := m.kit.inner.Explain(context.Background(), expected)
	if err != nil {
		return fmt.Errorf("sealsql sends nothing for the expected statement: %w", err)
	}
	if x.Sends(actual) {
		return nil
	}
	texts := make([]string, len(x.Steps))
	for i, s := range x.Steps {
		texts[i] = s.SQL
		if strings.Join(strings.Fields(s.SQL), " ") == strings.Join(strings.Fields(actual), " ") {
			return nil
		}
	}
	return fmt.Errorf("the statement sent is none of those that sealsql sends for the expected one:\n  sent: %s\n  expected: %s", actual, strings.Join(texts, "\n  or: "))
}
