package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
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

// plainWord is what a user's name and password must be, so that they can stand in
// a statement that takes no parameters.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_]{1,128}$`)

// CreateUser creates the sites' account, or gives the account that there is its
// password, and the rights that a site needs: to read the table and to add to it.
// iam lets it log in with tokens of IAM database authentication.
func CreateUser(ctx context.Context, db *sql.DB, engine, name, password string, iam bool) error {
	if !plainWord.MatchString(name) || !plainWord.MatchString(password) {
		return errors.New("the site's user name and password must be of letters, digits and underscores; generate the secret with ExcludePunctuation")
	}
	var texts []string
	switch engine {
	case "postgres":
		var there bool
		if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&there); err != nil {
			return err
		}
		texts = []string{map[bool]string{false: "CREATE", true: "ALTER"}[there] + " ROLE " + name + " LOGIN PASSWORD '" + password + "'",
			"GRANT SELECT, INSERT ON accounts TO " + name}
		if iam {
			texts = append(texts, "GRANT rds_iam TO "+name)
		}
	case "mysql":
		how := "BY '" + password + "'"
		if iam {
			how = "WITH AWSAuthenticationPlugin AS 'RDS'"
		}
		texts = []string{"CREATE USER IF NOT EXISTS '" + name + "'@'%' IDENTIFIED " + how, "ALTER USER '" + name + "'@'%' IDENTIFIED " + how,
			"GRANT SELECT, INSERT ON accounts TO '" + name + "'@'%'"}
	default:
		return fmt.Errorf("engine %q is not known; use postgres or mysql", engine)
	}
	for i, text := range texts {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("the site's user could not be made, step %d of %d: check the administrator's rights", i+1, len(texts)) // the text has the password
		}
	}
	return nil
}
