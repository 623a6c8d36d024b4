// Command webapp is a bank's site in two AWS Regions that keeps PINs with
// sealsql, and its security team's page.
//
// Without flags it starts two Regions on this machine: a primary database and
// a streaming replica, AWS's services played in this process, and the site in
// each Region:
//
//	go run ./examples/webapp
//
// With -dsn or -replica-dsn it is one Region's site over real services. The AWS
// SDK's environment, DATABASE_SECRET and OPERATOR_SECRET say which:
//
//	webapp -dsn postgres://app@cluster.example/twinport -other https://eu.example
//
// See README.md beside this file.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/sealsql/sealsql/examples/webapp/internal/credentials"
	"github.com/sealsql/sealsql/examples/webapp/internal/load"
	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/internal/site"
	"github.com/sealsql/sealsql/examples/webapp/internal/store"
	"github.com/sealsql/sealsql/examples/webapp/policies"
	"github.com/sealsql/sealsql/policy"
)

type flags struct {
	mysql, iam, migrate, plain, verbose bool
	keys, dsn, replica, other, listen   string
	load                                time.Duration
}

func main() {
	var f flags
	flag.BoolVar(&f.mysql, "mysql", false, "local mode: MariaDB in place of Postgres")
	flag.StringVar(&f.keys, "keys", "", "per-region or multi-region: how keys are held in two Regions; per-region in the local mode, else multi-region, unless SEALSQL_POLICY names a policy")
	flag.DurationVar(&f.load, "load", 0, "local mode: run 64 clients and the drills for so long, print the figures and end")
	flag.BoolVar(&f.verbose, "v", false, "local mode: print the log")
	flag.StringVar(&f.dsn, "dsn", "", "the writer's DSN, as a postgres:// URL or as go-sql-driver/mysql's")
	flag.StringVar(&f.replica, "replica-dsn", "", "the replica's DSN; without -dsn writes go to it once it is promoted")
	flag.StringVar(&f.other, "other", "", "the address of the other Region's site")
	flag.StringVar(&f.listen, "listen", ":8080", "with -dsn or -replica-dsn: where to listen")
	flag.BoolVar(&f.iam, "iam", false, "use IAM database authentication in place of DATABASE_SECRET")
	flag.BoolVar(&f.migrate, "migrate", false, "create the table with -dsn's own user and end")
	flag.BoolVar(&f.plain, "plain-http", false, "visitors come without TLS: for trying it out only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := runLocal
	if f.dsn != "" || f.replica != "" {
		run = runRegion
	}
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

func runLocal(ctx context.Context, f flags) error {
	engine, keys := "postgres", f.keys
	if f.mysql {
		engine = "mysql"
	}
	if keys == "" {
		keys = policies.PerRegion
	}
	log := io.Discard
	if f.verbose {
		log = os.Stderr
	}
	c := local.Config{Engine: engine, Keys: keys, Ports: []int{8080, 8081}, Log: slog.New(slog.NewTextHandler(log, nil))}
	if f.load > 0 {
		return runLoad(ctx, c, f.load)
	}
	began := time.Now()
	w, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("Two Regions are up on this machine after %s (%s, keys %s):\n\n", time.Since(began).Round(100*time.Millisecond), engine, keys)
	for i, r := range local.Regions {
		fmt.Printf("  %s  %s  %s\n", []string{"primary  ", "secondary"}[i], r, w.URL(r))
	}
	fmt.Printf("\nAccounts to sign in with, number and PIN:\n\n")
	for _, c := range local.Customers {
		fmt.Printf("  %s  %s\n", c.Number, c.PIN)
	}
	fmt.Printf("\nThe security team's pages, with alerts and drills: %s/operations (password %s)\nCtrl-C stops everything.\n", w.URL(local.Regions[0]), local.OperatorPassword)
	<-ctx.Done()
	fmt.Println("\nStopping.")
	return w.Close()
}

// runLoad starts the two Regions for a load and prints its figures.
func runLoad(ctx context.Context, c local.Config, duration time.Duration) error {
	c.Ports, c.Attempts = nil, 1<<30
	w, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("64 clients for %s on %s, keys %s, with a drill every ten seconds\n", duration, c.Engine, c.Keys)
	result, err := load.Run(ctx, w, load.Config{Clients: 64, Duration: duration, Every: 10 * time.Second, Pace: 200 * time.Millisecond, Out: os.Stdout})
	if err == nil {
		err = result.Print(os.Stdout)
	}
	return errors.Join(err, w.Close())
}

// runRegion runs one Region's site over real services.
func runRegion(ctx context.Context, f flags) error {
	engine := "mysql"
	if strings.HasPrefix(f.dsn+f.replica, "postgres") {
		engine = "postgres"
	}
	if f.migrate {
		return migrate(ctx, engine, f)
	}
	var p *policy.Policy
	var err error
	if path := os.Getenv("SEALSQL_POLICY"); path != "" && f.keys == "" {
		p, err = policy.Load(path)
	} else {
		p, err = policies.Load(cmp.Or(f.keys, policies.MultiRegion))
	}
	if err != nil {
		return err
	}
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if region == "" {
		return errors.New("AWS_REGION is not set; it says which Region this site is in")
	}
	s, err := site.Open(ctx, site.Settings{
		Region: region, Engine: engine, DSN: f.dsn, ReplicaDSN: f.replica, DatabaseSecret: os.Getenv("DATABASE_SECRET"), IAM: f.iam,
		OperatorSecret: os.Getenv("OPERATOR_SECRET"), Policy: p, Other: strings.TrimRight(f.other, "/"), Secure: !f.plain, Proxied: !f.plain,
		Log: slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	server := site.HTTPServer(s)
	err = site.Serve(ctx, server, func() error { return server.Serve(listener) })
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}

// migrate creates the table. The DSN's user needs the right to; a secret's or a
// token's is used if there is one.
func migrate(ctx context.Context, engine string, f flags) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	var source credentials.Source = credentials.DSN{}
	if id := os.Getenv("DATABASE_SECRET"); id != "" {
		source = &credentials.Secret{ID: id, Client: secretsmanager.NewFromConfig(cfg)}
	}
	if f.iam {
		source = credentials.Token{AWS: cfg}
	}
	connector, err := credentials.Connector(engine, f.dsn, source)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	return errors.Join(store.Migrate(ctx, db, engine), db.Close())
}
