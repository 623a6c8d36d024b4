// Command pgxpool uses Postgres without database/sql: code that sqlc generated for
// pgx/v5, scany, and a job of River's that is committed together with a sealed row.
//
//	go run ./pgxpool
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
	"github.com/sealsql/sealsql/examples/frameworks/pgxpool/queries"
	"github.com/sealsql/sealsql/sealpgx"
)

func main() { demo.Main("postgres", example) }

func example(ctx context.Context, env *demo.Env) error {
	config, err := pgxpool.ParseConfig(env.DSN) // its sealsql_policy names the policy
	if err != nil {
		return err
	}
	pool, err := sealpgx.NewPool(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, step := range []func(context.Context, *demo.Env, *sealpgx.Pool) error{generated, scanned, queued} {
		if err := step(ctx, env, pool); err != nil {
			return err
		}
	}
	return nil
}

func text(s string) pgtype.Text { return pgtype.Text{String: s, Valid: true} }

// generated uses the code that sqlc generated: a pool is its DBTX.
func generated(ctx context.Context, env *demo.Env, pool *sealpgx.Pool) error {
	q := queries.New(pool)
	created, err := q.CreateCustomer(ctx, queries.CreateCustomerParams{Name: "Ada", Ssn: text(demo.SSNs[0]), Income: pgtype.Int8{Int64: 52_000, Valid: true}})
	if err != nil {
		return err
	}
	var copies []queries.CopyCustomersParams
	var changes []queries.SetSSNParams
	for i := range int64(3) {
		copies = append(copies, queries.CopyCustomersParams{ID: 1000 + i, Name: "copied", Ssn: text(demo.SSNs[1])})
		changes = append(changes, queries.SetSSNParams{Ssn: text(demo.SSNs[2]), ID: 1000 + i})
	}
	if n, err := q.CopyCustomers(ctx, copies); err != nil || n != 3 {
		return fmt.Errorf("copied %d rows: %w", n, err)
	}
	if err := q.SetSSN(ctx, changes).Close(); err != nil {
		return err
	}
	read, err := q.GetCustomer(ctx, created.ID)
	if err != nil {
		return err
	}
	changed, err := q.GetCustomer(ctx, 1001)
	if err != nil {
		return err
	}
	if read.Ssn.String != demo.SSNs[0] || read.Income.Int64 != 52_000 || changed.Ssn.String != demo.SSNs[2] {
		return errors.New("what was read is not what was written")
	}
	env.Say("sqlc: a row written and read, 3 copied, and changed in a batch")
	return nil
}

// customer is scanned by name.
type customer struct {
	ID   int64
	Name string
	SSN  *string `db:"ssn"`
}

// scanned reads structs with scany.
func scanned(ctx context.Context, env *demo.Env, pool *sealpgx.Pool) error {
	var all []customer
	if err := pgxscan.Select(ctx, pool, &all, "SELECT id, name, ssn FROM customers WHERE id >= $1 ORDER BY id", 1000); err != nil {
		return err
	}
	if len(all) != 3 || all[2].SSN == nil || *all[2].SSN != demo.SSNs[2] {
		return fmt.Errorf("scany read %d rows", len(all))
	}
	env.Say("scany: %d structs", len(all))
	return nil
}

// welcome is a job. It names the row: what a job says lies in the database in clear.
type welcome struct {
	Customer int64 `json:"customer"`
}

// Kind implements river.JobArgs.
func (welcome) Kind() string { return "welcome" }

// queued inserts a job in the transaction that writes a sealed row. River has its own
// tables, and gets the bare pool.
func queued(ctx context.Context, env *demo.Env, pool *sealpgx.Pool) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool.Bare()), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	worker := &greeter{pool: pool, greeted: make(chan string, 1)}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	jobs, err := river.NewClient(riverpgxv5.New(pool.Bare()), &river.Config{Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}}})
	if err != nil {
		return err
	}
	insert := func(tx pgx.Tx) error {
		created, err := queries.New(tx).CreateCustomer(ctx, queries.CreateCustomerParams{Name: "Bob", Ssn: text(demo.SSNs[1])})
		if err != nil {
			return err
		}
		_, err = jobs.InsertTx(ctx, tx, welcome{created.ID}, nil)
		return err
	}
	if err := pgx.BeginFunc(ctx, pool, insert); err != nil {
		return err
	}
	undone := errors.New("undone")
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return errors.Join(insert(tx), undone) }); !errors.Is(err, undone) {
		return err
	}
	var n int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM river_job j JOIN customers c ON c.id = (j.args->>'customer')::bigint").Scan(&n); err != nil || n != 1 {
		return fmt.Errorf("%d jobs: %w", n, err)
	}
	env.Say("River: one job, committed with its customer")
	return worked(ctx, env, jobs, worker)
}

// greeter works on jobs: it reads the customer through sealpgx.
type greeter struct {
	river.WorkerDefaults[welcome]
	pool    *sealpgx.Pool
	greeted chan string
}

// Work implements river.Worker. The job is completed in the transaction that writes what
// it did.
func (g *greeter) Work(ctx context.Context, job *river.Job[welcome]) error {
	var ssn string
	err := pgx.BeginFunc(ctx, g.pool, func(tx pgx.Tx) error {
		c, err := queries.New(tx).GetCustomer(ctx, job.Args.Customer)
		if err != nil {
			return err
		}
		ssn = c.Ssn.String
		if _, err := tx.Exec(ctx, "UPDATE customers SET income = $1 WHERE id = $2", 61_000, c.ID); err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err == nil {
		g.greeted <- ssn
	}
	return err
}

// worked has River's client work on the job until it is done.
func worked(ctx context.Context, env *demo.Env, jobs *river.Client[pgx.Tx], worker *greeter) error {
	if err := jobs.Start(ctx); err != nil {
		return err
	}
	var ssn string
	select {
	case ssn = <-worker.greeted:
	case <-ctx.Done():
	}
	if err := jobs.Stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	var income int64
	var state string
	err := worker.pool.QueryRow(ctx, "SELECT c.income, j.state FROM customers c JOIN river_job j ON c.id = (j.args->>'customer')::bigint").Scan(&income, &state)
	if err != nil || ssn != demo.SSNs[1] || income != 61_000 || state != "completed" {
		return fmt.Errorf("the worker read another value, or left the job %s: %w", state, err)
	}
	env.Say("River: the worker read the customer, and changed it as it completed the job")
	return nil
}
