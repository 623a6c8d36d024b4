// Command quickstart shows sealsql at work on invented customers.
//
// Without flags it starts an in-process MySQL server and a fake KMS, so that it
// runs anywhere:
//
//	go run ./examples/quickstart
//
// With -dsn and -policy it runs against a real database and, unless -fake-kms is
// given, real KMS. The policy must protect the column ssn of a table
// sealsql_quickstart with the row key account_number; the example makes and drops that table:
//
//	go run ./examples/quickstart -driver sealsql-pgx -dsn postgres://app@localhost/shop -policy policy.yaml
//
// It checks itself: the exit status is 1 if anything is not as it should be.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.driver, "driver", "", "sealsql-pgx or sealsql-mysql; by default what -dsn looks like")
	flag.StringVar(&o.dsn, "dsn", "", "data source name of a database to use in place of the in-process server")
	flag.StringVar(&o.policy, "policy", "", "policy file; needed with -dsn")
	flag.BoolVar(&o.fakeKMS, "fake-kms", false, "use the fake KMS with -dsn too; the policy's ${QUICKSTART_KEY} is then its key")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	fmt.Println("\nEverything checked out.")
}

type customer struct{ account, name, ssn string }

var customers = []customer{
	{"4000000001", "Ada Example", "900-12-3456"},
	{"4000000002", "Ben Sample", "900-65-4321"},
	{"4000000003", "Cleo Specimen", "900-11-2233"},
}

// run shows the job, step by step.
func run(ctx context.Context, o options) error {
	env, err := setUp(ctx, o)
	if err != nil {
		return err
	}
	defer env.close()
	steps := []struct {
		title string
		do    func(context.Context, *environment) error
	}{
		{"1. Write through sealsql: ordinary database/sql code", write},
		{"2. What the table really holds, read with the bare driver", showStored},
		{"3. Read back through sealsql", readBack},
		{"4. Swap two rows' ciphertexts behind sealsql's back", swap},
		{"5. A statement that would leak is refused before it is sent", refuse},
	}
	for _, s := range steps {
		fmt.Printf("\n== %s\n", s.title)
		if err := s.do(ctx, env); err != nil {
			return fmt.Errorf("step %q: %w", s.title, err)
		}
	}
	return nil
}

func write(ctx context.Context, env *environment) error {
	tx, err := env.sealed.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	insert, err := tx.PrepareContext(ctx, env.sql("INSERT INTO "+table+" (account_number, name, ssn) VALUES (?, ?, ?)"))
	if err != nil {
		return err
	}
	for _, c := range customers {
		if _, err := insert.ExecContext(ctx, c.account, c.name, c.ssn); err != nil {
			return err
		}
		fmt.Printf("   %s  %-14s  %s\n", c.account, c.name, c.ssn)
	}
	return tx.Commit()
}

// rows reads the table through either sql.DB.
func rows(ctx context.Context, db *sql.DB) (map[string][]byte, error) {
	rows, err := db.QueryContext(ctx, "SELECT account_number, ssn FROM "+table+" ORDER BY account_number")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	out := make(map[string][]byte)
	for rows.Next() {
		var account string
		var ssn []byte
		if err := rows.Scan(&account, &ssn); err != nil {
			return nil, err
		}
		out[account] = ssn
	}
	return out, rows.Err()
}
