package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Schema is the site's table for an engine. pin is binary: the policy says what
// lies in it. The site's database user needs SELECT and INSERT on the table.
func Schema(engine string) (string, error) {
	switch engine {
	case "postgres":
		return `CREATE TABLE IF NOT EXISTS accounts (
	account_number varchar(20) PRIMARY KEY,
	user_id        varchar(64) NOT NULL UNIQUE,
	pin            bytea NOT NULL,
	request_id     varchar(32) NOT NULL,
	created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
)`, nil
	case "mysql":
		return `CREATE TABLE IF NOT EXISTS accounts (
	account_number varchar(20) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
	user_id        varchar(64) NOT NULL UNIQUE,
	pin            blob NOT NULL,
	request_id     varchar(32) NOT NULL,
	created_at     timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) CHARACTER SET utf8mb4`, nil
	}
	return "", fmt.Errorf("engine %q is not known; use postgres or mysql", engine)
}

// Migrate creates the table if it is missing.
func Migrate(ctx context.Context, db *sql.DB, engine string) error {
	text, err := Schema(engine)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, text)
	return err
}
