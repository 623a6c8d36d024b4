// Package sealpgx is pgx without database/sql: a pool, connections and transactions of
// pgx that encrypt the columns a policy names, under the same policy and with the same
// stored values as the database/sql driver.
//
//	config, err := pgxpool.ParseConfig("postgres://app@db/shop")
//	pool, err := sealpgx.NewPool(ctx, config, driver.WithPolicyFile("policy.yaml"))
//
// [Pool], [Conn] and [Tx] have the methods of their namesakes in pgxpool and pgx, and fit
// the interfaces that sqlc and scany ask for. Rows show protected columns as columns of
// the policy's type: they scan into what pgx scans a column of that type into.
//
// A statement that names nothing protected goes to pgx as it is. A statement that cannot
// be kept safe is refused before anything is sent, with a [driver.RefusedError].
//
// A batch is planned before it is sent. It takes statements that need one text each: rows
// whose key the server makes, and rows that are read before they are written, are refused
// in a batch. CopyFrom seals rows as they stream, and needs the row key among its columns.
//
// What goes past this package is bare: the *pgx.Conn that the methods Conn return, its
// PgConn, and the hooks of pgxpool.Config. Nothing that is sent there is sealed or opened.
// Statements that such code prepares may be sent by their names, and are sealed then.
package sealpgx
