package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/webapp/internal/credentials"
	"github.com/sealsql/sealsql/examples/webapp/internal/store"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const (
	created, signedIn = 5, 95 // of 100 requests
	tasks             = 4     // of both Regions together
)

// TestTheCostsInTheREADME counts the calls of KMS that a hundred requests take
// with each way of making data keys, and holds README.md's table to them.
func TestTheCostsInTheREADME(t *testing.T) {
	server := testdb.Postgres(t)
	var rows []string
	for _, c := range []struct{ name, keys, dataKey string }{
		{"`value`, multi-Region key", "one", "{per: value}"},
		{"`value`, a key in each Region", "two", "{per: value}"},
		{"`cached`, a key in each Region", "two", "{per: cached, max_age: 5m}"},
		{"`branch`, a key in each Region", "two", "{per: branch, store: sql, ttl: 15m, branch_key: pins}"},
	} {
		start, hundred := calls(t, server, c.keys, c.dataKey)
		row := "| " + c.name
		for _, requests := range []float64{10, 1000, 100_000} {
			perHour := requests * hundred / 100
			if strings.Contains(c.dataKey, "branch") { // each task asks once in each ttl
				perHour = start * tasks * 4
			}
			row += fmt.Sprintf(" | $%.2f", perHour*730*0.03/10_000)
		}
		rows = append(rows, row+" |")
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if !strings.Contains(string(text), row) {
			t.Errorf("README.md lacks\n%s", row)
		}
	}
}

// calls returns the calls of KMS until the first account is there, and those of a
// hundred requests after it.
func calls(t *testing.T, server *testdb.Server, keys, dataKey string) (first, hundred float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kms := sealtest.NewKMS()
	defer kms.Close()
	arns := []string{kms.CreateKey("us-east-1"), kms.CreateKey("eu-west-1")}
	if keys == "one" {
		arns = kms.CreateMultiRegionKey("us-east-1", "eu-west-1")[:1]
	}
	p, err := policy.Parse("costs", fmt.Appendf(nil, `
version: 1
keyrings: {pins: {kms: {keys: [%s]}, data_key: %s}}
tables: {accounts: {row_key: [account_number], columns: {pin: {keyring: pins, type: string}}}}
`, strings.Join(arns, ", "), dataKey))
	if err != nil {
		t.Fatal(err)
	}
	_, dsn := server.DSN(server.Addr(), server.NewDatabase(t))
	base, err := credentials.Connector("postgres", dsn, credentials.DSN{})
	if err != nil {
		t.Fatal(err)
	}
	bare := sql.OpenDB(base)
	defer bare.Close()
	if err := store.Migrate(ctx, bare, "postgres"); err != nil {
		t.Fatal(err)
	}
	options := []driver.Option{driver.WithPolicy(p), driver.WithAWSConfig(kms.AWSConfig("us-east-1"))}
	if strings.Contains(dataKey, "branch") {
		makeBranchKey(ctx, t, bare, base, options)
	}
	s, err := store.Open(store.Config{Engine: "postgres", Writer: base, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kms.ResetCalls()
	create := func(i int) {
		t.Helper()
		n := fmt.Sprintf("41%08d", i)
		if err := s.Create(ctx, store.Account{Number: n, User: n, PIN: "8642"}, n); err != nil {
			t.Fatal(err)
		}
	}
	create(0)
	first = float64(kms.Count(sealtest.CallKind{}))
	for i := 1; i < signedIn; i++ { // each sign-in below is of an account of its own
		create(i)
	}
	again, err := store.Open(store.Config{Engine: "postgres", Writer: base, Options: options}) // a process that has nothing at hand
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	kms.ResetCalls()
	for i := range created {
		n := fmt.Sprintf("42%08d", i)
		if err := again.Create(ctx, store.Account{Number: n, User: n, PIN: "8642"}, n); err != nil {
			t.Fatal(err)
		}
	}
	for i := range signedIn {
		if _, err := again.PIN(ctx, fmt.Sprintf("41%08d", i)); err != nil {
			t.Fatal(err)
		}
	}
	return first, float64(kms.Count(sealtest.CallKind{}))
}

func makeBranchKey(ctx context.Context, t *testing.T, bare *sql.DB, base sqldriver.Connector, options []driver.Option) {
	t.Helper()
	ddl, err := os.ReadFile("../../internal/server/postgres/branchkeys.sql")
	if err == nil {
		_, err = bare.ExecContext(ctx, string(ddl))
	}
	if err != nil {
		t.Fatal(err)
	}
	connector, err := driver.NewConnector(base, options...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	keys, err := driver.BranchKeys(db, "pins")
	if err == nil {
		_, err = keys.Create(ctx, "pins", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
