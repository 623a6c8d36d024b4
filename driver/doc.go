// Package driver is sealsql: a [database/sql] driver that wraps another one and
// encrypts the columns that a policy names.
//
// Import [github.com/sealsql/sealsql/driver/postgres] or
// [github.com/sealsql/sealsql/driver/mysql] for its side effect and open the
// database under the name "sealsql-pgx" or "sealsql-mysql"; or wrap any
// [database/sql/driver.Connector] with [NewConnector] and pass it to
// [database/sql.OpenDB].
//
// The package keeps three promises, the earlier before the later:
//
//  1. No plaintext of a protected column reaches the server. A statement that
//     touches a protected table and is not fully understood fails with an error
//     that wraps [ErrRefused], before anything is sent.
//  2. No value is handed out for a row, table or column it was not written for:
//     reading it fails with [ErrMismatch] or [ErrTampered], and an [alert.Event] is
//     raised, unless the policy says otherwise for the column.
//  3. Everything else behaves as the wrapped driver does. Connections,
//     statements and rows expose the optional interfaces of the objects beneath
//     them and no others; statements that touch nothing protected reach the
//     wrapped driver unchanged.
//
// The safe default is to refuse. Nothing in this package logs, or puts into an
// error or an event, a plaintext, a parameter, a raw row key, a key or a DSN.
//
// All exported types are safe for concurrent use unless they say otherwise.
package driver

//go:generate go run ../internal/testing/gencombos
