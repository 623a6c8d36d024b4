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
	flag.BoolVar(&f.migrate, "migrate", false, "create the table and the account of SITE_SECRET, as DATABASE_SECRET's or -dsn's user, and end")
	flag.BoolVar(&f.plain, "plain-http", false, "visitors come without TLS: for trying it out only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := runLocal // what there is of it depends on the build
	if f.dsn != "" || f.replica != "" {
		run = runRegion
	}
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
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

// migrate creates the table and the sites' account. DATABASE_SECRET, or the DSN,
// is the administrator's login; SITE_SECRET is the sites' own.
func migrate(ctx context.Context, engine string, f flags) (err error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	secrets := secretsmanager.NewFromConfig(cfg)
	var source credentials.Source = credentials.DSN{}
	if id := os.Getenv("DATABASE_SECRET"); id != "" {
		source = &credentials.Secret{ID: id, Client: secrets}
	}
	connector, err := credentials.Connector(engine, f.dsn, source)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := store.Migrate(ctx, db, engine); err != nil {
		return err
	}
	id := os.Getenv("SITE_SECRET")
	if id == "" {
		return nil
	}
	login, _, err := (&credentials.Secret{ID: id, Client: secrets}).Login(ctx, "", "", 0)
	if err != nil {
		return err
	}
	return store.CreateUser(ctx, db, engine, login.Username, login.Password, f.iam)
}
