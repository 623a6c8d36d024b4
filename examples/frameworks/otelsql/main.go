// Command otelsql traces sealsql with XSAM/otelsql: above it, where spans show
// what the application asks for, and beneath it, where they show what is sent. The
// arguments belong in neither: do not let an option of otelsql record those from above.
//
//	go run ./otelsql
package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sealsql/sealsql/driver"
	sealsqlmysql "github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

func example(ctx context.Context, env *demo.Env) error {
	above, beneath := tracetest.NewInMemoryExporter(), tracetest.NewInMemoryExporter()

	// Beneath: otelsql wraps the bare driver, sealsql wraps otelsql. The dialect is
	// named, since the driver's type is otelsql's.
	traced, err := otelsql.WrapDriver(env.Bare.Driver(), traceTo(beneath)...).(sqldriver.DriverContext).OpenConnector(env.BareDSN)
	if err != nil {
		return err
	}
	dialect := sealsqlmysql.Dialect
	if env.Postgres() {
		dialect = postgres.Dialect
	}
	sealed, err := driver.NewConnector(traced, driver.WithDialect(dialect), driver.WithPolicyFile(env.PolicyPath))
	if err != nil {
		return err
	}

	// Above: otelsql wraps sealsql's connector. The connector is kept for what
	// sealsql offers beside database/sql, such as Sealer, Reload and Stats.
	db := otelsql.OpenDB(sealed, traceTo(above)...)
	defer func() { _ = db.Close() }() // the example is over

	if err := work(ctx, env, db); err != nil {
		return err
	}
	if _, err := sealed.Sealer().Seal(ctx, "customers", "ssn", driver.Row{"id": int64(7)}, demo.SSNs[2]); err != nil {
		return err
	}
	asked, sent := spans(above), spans(beneath)
	if !strings.Contains(asked, "SELECT ssn FROM customers") || strings.Contains(asked, "sealsql_k1") || !strings.Contains(sent, "sealsql_k1") {
		return fmt.Errorf("the spans are not those expected: above %s, beneath %s", asked, sent)
	}
	for _, ssn := range demo.SSNs {
		if strings.Contains(asked+sent, ssn) {
			return errors.New("a span shows an SSN")
		}
	}
	env.Say("%d spans above sealsql, %d beneath it, no value in any", len(above.GetSpans()), len(beneath.GetSpans()))
	return nil
}

// traceTo has every span delivered before it ends.
func traceTo(e sdktrace.SpanExporter) []otelsql.Option {
	return []otelsql.Option{otelsql.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(e))),
		otelsql.WithAttributes(attribute.String("db.system.name", "sealsql-example"))}
}

func work(ctx context.Context, env *demo.Env, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	for i, name := range []string{"Ada", "Ben"} {
		if _, err := tx.ExecContext(ctx, env.SQL("INSERT INTO customers (name, ssn) VALUES (?, ?)"), name, demo.SSNs[i]); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	var ssn string
	if err := db.QueryRowContext(ctx, env.SQL("SELECT ssn FROM customers WHERE name = ?"), "Ben").Scan(&ssn); err != nil || ssn != demo.SSNs[1] {
		return errors.Join(errors.New("what was read is not what was written"), err)
	}
	return nil
}

// spans returns all that the spans say.
func spans(e *tracetest.InMemoryExporter) string {
	var b strings.Builder
	for _, s := range e.GetSpans() {
		fmt.Fprintln(&b, s.Name, s.Attributes, s.Events, s.Status)
	}
	return b.String()
}
