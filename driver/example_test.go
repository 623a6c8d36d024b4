package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// The examples' policy and table. With WithSchema the database's catalog is
// not read, so that they run without a server.
var (
	shopPolicy = mustParse(`
version: 1
keyrings:
  customer-pii:
    kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"]}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: customer-pii, type: string}
`)
	shopSchema = driver.Schema{"accounts": {{Name: "account_number", Type: "text", Unique: true}, {Name: "ssn", Type: "bytea"}}}
)

func mustParse(text string) *policy.Policy {
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		log.Fatal(err)
	}
	return p
}

// A connector of one's own is wrapped, and alerts go to a function as well as
// to the log.
func ExampleNewConnector() {
	cfg, err := pgx.ParseConfig("postgres://app@db.example/shop")
	if err != nil {
		log.Fatal(err)
	}
	base := stdlib.GetConnector(*cfg) // with hooks for IAM tokens, tracing, …
	connector, err := driver.NewConnector(base,
		driver.WithPolicy(shopPolicy),                                                         // WithPolicyFile in production
		driver.WithKeyring("customer-pii", sealtest.Keyring()), driver.WithSchema(shopSchema), // these two for tests
		driver.WithAlertFunc(func(e alert.Event) { log.Println("page someone:", e.Kind, e.Table, e.RowKeyDigest) }))
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	fmt.Println(len(connector.Policy().Tables()), "protected table")
	// Output: 1 protected table
}

func exampleConnector() *driver.Connector {
	cfg, err := pgx.ParseConfig("postgres://app@db.example/shop")
	if err != nil {
		log.Fatal(err)
	}
	c, err := driver.NewConnector(stdlib.GetConnector(*cfg), driver.WithPolicy(shopPolicy), driver.WithSchema(shopSchema),
		driver.WithKeyring("customer-pii", sealtest.Keyring()), driver.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// A statement that would leak is refused before anything is sent, and the
// error says where and what to do.
func ExampleRefusedError() {
	connector := exampleConnector()
	_, err := connector.Explain(context.Background(), "SELECT account_number\nFROM accounts WHERE ssn = $1")
	if refused, ok := errors.AsType[*driver.RefusedError](err); ok {
		fmt.Printf("%s at %d:%d\n", refused.Object, refused.Line, refused.Column)
	}
	fmt.Println(errors.Is(err, driver.ErrRefused))
	// Output:
	// accounts.ssn at 2:21
	// true
}

// What is sent for a statement, and what comes back.
func ExampleConnector_Explain() {
	x, err := exampleConnector().Explain(context.Background(), "SELECT ssn FROM accounts WHERE account_number = $1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(x.Protected, len(x.Steps))
	for _, c := range x.Results[0] {
		fmt.Printf("hidden: %v, shows: %q\n", c.Hidden, c.Column)
	}
	// Output:
	// true 1
	// hidden: false, shows: "ssn"
	// hidden: true, shows: ""
}

// Seal and open values for code that goes around database/sql, such as COPY.
// A value of another row does not open.
func ExampleValueSealer() {
	ctx := context.Background()
	sealer := exampleConnector().Sealer() // driver.Sealer(db) of a sql.DB
	stored, err := sealer.Seal(ctx, "accounts", "ssn", driver.Row{"account_number": "4000000001"}, "900-12-3456")
	if err != nil {
		log.Fatal(err)
	}
	_, err = sealer.Open(ctx, "accounts", "ssn", driver.Row{"account_number": "4000000001"}, stored)
	fmt.Println("its own row:", err)
	_, err = sealer.Open(ctx, "accounts", "ssn", driver.Row{"account_number": "4000000002"}, stored)
	fmt.Println("another row:", errors.Is(err, driver.ErrMismatch))
	// Output:
	// its own row: <nil>
	// another row: true
}
