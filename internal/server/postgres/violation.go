package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/internal/server"
)

// undefinedTable is the SQLSTATE of a relation that is not there.
const undefinedTable = "42P01"

// The SQLSTATEs of constraints that name a column or a unique key.
const (
	notNullViolation   = "23502"
	uniqueViolation    = "23505"
	exclusionViolation = "23P01"
)

// Violation implements server.Server.
func (Server) Violation(err error) (v server.Violation, ok bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return v, false
	}
	v.Schema, v.Table = e.SchemaName, e.TableName
	switch e.Code {
	case notNullViolation:
		v.Column = e.ColumnName
	case uniqueViolation, exclusionViolation:
		v.Key, v.Columns = e.ConstraintName, keyColumns(e.Detail)
	}
	v.Naming = func(column, fact string) error {
		named := *e
		named.Message += fact
		if v.Column != "" {
			named.ColumnName = column
		}
		return server.Adding(err, e, &named, fact)
	}
	return v, v.Table != "" && (v.Column != "" || v.Key != "")
}

// keyColumns returns the columns that the detail of a violation names, as in
// "Key (email_eq, tenant)=(…) already exists", in any language.
func keyColumns(detail string) []string {
	_, rest, ok := strings.Cut(detail, "(")
	list, _, closed := strings.Cut(rest, ")=(")
	if !ok || !closed {
		return nil
	}
	columns := strings.Split(list, ", ")
	for i, c := range columns {
		if name, quoted := strings.CutPrefix(c, `"`); quoted {
			columns[i] = strings.ReplaceAll(strings.TrimSuffix(name, `"`), `""`, `"`)
		}
	}
	return columns
}

// NoRelation implements server.Server.
func (Server) NoRelation(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == undefinedTable
}

// invalidText is invalid_text_representation.
const invalidText = "22P02"

// Failed implements [server.Server].
func (Server) Failed(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == invalidText
}

// FailsInRows implements server.Server: Postgres writes all rows before it sends one.
func (Server) FailsInRows() bool { return false }

// ExecsRows implements server.Server.
func (Server) ExecsRows() bool { return true }
