// Command search protects a table of users whole, e-mail, phone and SSN, behind code of
// gorm and bun that finds users by them: what it does with a bare driver, it does here.
//
//	go run ./search
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { database.Main("postgres mysql", example) }

// database protects users. A production policy has kms: with branch keys in the place of
// raw_aes:; the columns stay as they are.
var database = demo.Database{
	Policy: `
version: 1
keyrings:
  person:
    raw_aes: {namespace: demo, name: users, key_env: SEALSQL_DEMO_RAW_KEY}
tables:
  users:
    row_key: [id]
    columns:
      email:
        keyring: person
        type: string
        search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim], group: person-email}}
      phone: {keyring: person, type: string, search: {equality: {column: phone_eq, normalise: [digits]}}}
      ssn: {keyring: person, type: string, search: {equality: {column: ssn_eq, normalise: [digits]}}}
  invitations:
    row_key: [id]
    columns:
      email:
        keyring: person
        type: string
        search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim], group: person-email}}
  subscribers:
    row_key: [id]
    columns:
      email:
        keyring: person
        type: string
        search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim], group: person-email}}
      phone: {keyring: person, type: string}
`,
	// The unique constraint of the e-mail is on its term.
	Schema: map[string][]string{
		"postgres": {
			`CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email bytea NOT NULL, phone bytea, ssn bytea, email_eq bytea NOT NULL, phone_eq bytea, ssn_eq bytea, CONSTRAINT users_email_key UNIQUE (email_eq))`,
			`CREATE INDEX users_phone ON users (phone_eq)`, `CREATE UNIQUE INDEX users_ssn ON users (ssn_eq)`,
			`CREATE TABLE invitations (id bigint PRIMARY KEY, team text NOT NULL, email bytea NOT NULL, email_eq bytea NOT NULL)`,
			`CREATE TABLE subscribers (id bigserial PRIMARY KEY, email bytea NOT NULL, phone bytea, email_eq bytea NOT NULL UNIQUE)`,
		},
		"mysql": {
			`CREATE TABLE users (id bigint PRIMARY KEY, name varchar(100) NOT NULL, email blob NOT NULL, phone blob, ssn blob, email_eq varbinary(32) NOT NULL, phone_eq varbinary(32), ssn_eq varbinary(32), UNIQUE KEY users_email_key (email_eq), KEY users_phone (phone_eq), UNIQUE KEY users_ssn (ssn_eq))`,
			`CREATE TABLE invitations (id bigint PRIMARY KEY, team varchar(100) NOT NULL, email blob NOT NULL, email_eq varbinary(32) NOT NULL)`,
			`CREATE TABLE subscribers (id bigint AUTO_INCREMENT PRIMARY KEY, email blob NOT NULL, phone blob, email_eq varbinary(32) NOT NULL UNIQUE)`,
		},
	},
	Protected: "SELECT email, phone, ssn FROM users",
	Values:    []string{ada, "ADA@Example.org", ben, cleo, "+44 20 7946 0001", "442079460001", "900-12-3456", "900123456", "900-65-4321"},
}

const ada, ben, cleo = "ada@example.org", "ben@example.org", "cleo@example.org"

// step is a part of the example; each framework has the same ones.
type step struct {
	title string
	do    func() error
}

func example(ctx context.Context, env *demo.Env) error {
	pool, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // the example is over
	steps, err := withGorm(ctx, pool, env)
	if err != nil {
		return err
	}
	for _, s := range append(steps, withBun(ctx, pool, env)...) {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		env.Say("%s", s.title)
	}
	return nil
}

// want is an error if something is not as it should be.
func want(err error, ok bool) error {
	if err == nil && !ok {
		return errors.New("not what was expected")
	}
	return err
}
