package mysql

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

// errNoTable is the error of a table that is not there.
const errNoTable = 1146

// The errors of constraints that name a column or a unique key.
const (
	errBadNull        = 1048
	errDuplicate      = 1062
	errNullToNotNull  = 1263
	errNoDefault      = 1364
	errDuplicateNamed = 1586
)

// Violation implements server.Server. A message names a column first. It names a key
// last, after the duplicate entry, whose text may quote anything.
func (Server) Violation(err error) (v server.Violation, ok bool) {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return v, false
	}
	switch e.Number {
	case errBadNull, errNullToNotNull, errNoDefault:
		if quoted := strings.SplitN(e.Message, "'", 3); len(quoted) == 3 {
			v.Column = quoted[1]
		}
	case errDuplicate, errDuplicateNamed:
		v.Key = lastQuoted(e.Message)
		// MySQL writes the table before the key since 8.0.19; MariaDB does not.
		if table, key, ok := strings.Cut(v.Key, "."); ok {
			v.Table, v.Key = table, key
		}
	}
	v.Naming = func(_, fact string) error {
		named := *e
		named.Message += fact
		return server.Adding(err, e, &named, fact)
	}
	return v, v.Column != "" || v.Key != ""
}

// lastQuoted is the last name in single quotes.
func lastQuoted(message string) string {
	end := strings.LastIndexByte(message, '\'')
	if end < 0 {
		return ""
	}
	return message[strings.LastIndexByte(message[:end], '\'')+1 : end]
}

// NoRelation implements server.Server.
func (Server) NoRelation(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == errNoTable
}

// errManyRows is ER_SUBQUERY_NO_1_ROW.
const errManyRows = 1242

// Failed implements [server.Server].
func (Server) Failed(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == errManyRows
}

// FailsInRows implements server.Server: MariaDB sends each row of RETURNING as it writes
// it.
func (Server) FailsInRows() bool { return true }

// ExecsRows implements server.Server: go-sql-driver 1.10 skips columns that MariaDB does
// not describe a second time, takes rows for them, and waits for more.
func (Server) ExecsRows() bool { return false }
