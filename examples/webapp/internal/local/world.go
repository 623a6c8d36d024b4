// Package local is the two Regions on one machine: a primary database and its
// replica, AWS KMS, Secrets Manager and CloudWatch over their real protocols,
// and the site once in each Region. It runs the drills.
//
// Databases, drivers, AWS SDK clients and pages are real; the AWS services are
// played in this process and protect nothing.
package local

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/examples/webapp/internal/site"
	"github.com/sealsql/sealsql/examples/webapp/internal/store"
	"github.com/sealsql/sealsql/examples/webapp/policies"
	"github.com/sealsql/sealsql/internal/testing/fakecloudwatch"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// The two Regions. The first has the primary database at the start.
var Regions = []string{"us-east-1", "eu-west-1"}

// OperatorPassword opens the operations pages of the local mode.
const OperatorPassword = "harbour-pilot"

const (
	database       = "twinport"
	databaseSecret = "twinport/database"
	operatorSecret = "twinport/operators"
	kmsLatency     = 4 * time.Millisecond
)

// Customer is an invented account of the local mode.
type Customer struct{ Number, User, PIN string }

// Customers are there from the start.
var Customers = []Customer{
	{"4000000001", "ada@example.com", "480613"},
	{"4000000002", "ben@example.com", "7295"},
	{"4000000003", "cleo@example.com", "315972"},
}

// Config describes a World.
type Config struct {
	// Engine is "postgres" or "mysql", Keys a name of package policies.
	Engine, Keys string
	// Ports are the sites' on loopback; 0 is a free one.
	Ports []int
	Log   *slog.Logger
	// Watch is told of each database's address before a site connects to it and
	// returns the address to connect to; tests put a proxy there. It may be nil.
	Watch func(addr string) (string, error)
	// Attempts is that of [site.Settings]; Now the sites' clock.
	Attempts int
	Now      func() time.Time
}

// World is the two Regions. It is safe for concurrent use.
type World struct {
	c          Config
	KMS        *sealtest.KMS
	Secrets    *Secrets
	CloudWatch *fakecloudwatch.Server

	keys      map[string]string // ARN by Region
	policy    *policy.Policy
	alarms    *alarms
	endpoints map[string]*endpoint
	sites     map[string]*site.Site
	addrs     map[string]string
	stop      context.CancelFunc
	wg        sync.WaitGroup

	mu      sync.Mutex // held while a drill changes something
	writer  string     // the Region whose database takes writes
	db      map[string]*testdb.Server
	faults  map[string]string
	off     map[string]bool // disabled keys, by Region
	swapped [2]string
}

// Start starts everything. The caller closes the World. It sets the process's
// AWS environment, so that there can be one World at a time.
func Start(ctx context.Context, c Config) (_ *World, err error) {
	w := &World{
		c: c, KMS: sealtest.NewKMS(sealtest.WithCallLog(0)), Secrets: newSecrets(), CloudWatch: fakecloudwatch.New(),
		keys: map[string]string{}, endpoints: map[string]*endpoint{}, sites: map[string]*site.Site{}, addrs: map[string]string{},
		db: map[string]*testdb.Server{}, faults: map[string]string{}, off: map[string]bool{}, writer: Regions[0],
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.KMS.SetFault("", sealtest.Fault{Latency: kmsLatency})
	// The driver tells of each connection that a drill breaks.
	if err := mysql.SetLogger(slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)); err != nil {
		return nil, err
	}
	if w.alarms, err = newAlarms(w.CloudWatch, Regions); err != nil {
		return nil, err
	}
	if err := w.startDatabases(ctx); err != nil {
		return nil, err
	}
	p, err := w.prepareAWS()
	if err != nil {
		return nil, err
	}
	w.policy = p
	if err := w.startSites(ctx, p); err != nil {
		return nil, err
	}
	return w, w.seed(ctx)
}

// Close stops everything.
func (w *World) Close() error {
	var errs []error
	if w.stop != nil {
		w.stop()
	}
	w.wg.Wait()
	for _, s := range w.sites {
		errs = append(errs, s.Close())
	}
	for _, e := range w.endpoints {
		e.close()
	}
	for _, s := range w.db {
		s.Stop()
	}
	w.KMS.Close()
	w.Secrets.Close()
	w.CloudWatch.Close()
	return errors.Join(errs...)
}

// URL is the address of a Region's site.
func (w *World) URL(region string) string { return "http://" + w.addrs[region] }

// Site is a Region's site.
func (w *World) Site(region string) *site.Site { return w.sites[region] }

// Writer is the Region whose database takes writes now.
func (w *World) Writer() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writer
}

func other(region string) string {
	if region == Regions[0] {
		return Regions[1]
	}
	return Regions[0]
}

func (w *World) startDatabases(ctx context.Context) error {
	primary, err := testdb.StartPrimary(w.c.Engine)
	if err != nil {
		return err
	}
	w.db[Regions[0]] = primary
	if err := w.prepareDatabase(ctx); err != nil {
		return err
	}
	replica, err := primary.StartReplica()
	if err != nil {
		return err
	}
	w.db[Regions[1]] = replica
	for _, r := range Regions {
		addr, err := w.watched(w.db[r])
		if err != nil {
			return err
		}
		if w.endpoints[r], err = newEndpoint(addr); err != nil {
			return err
		}
	}
	return replica.CatchUp(ctx, primary)
}

// watched is the address at which a site reaches a server.
func (w *World) watched(s *testdb.Server) (string, error) {
	if w.c.Watch == nil {
		return s.Addr(), nil
	}
	return w.c.Watch(s.Addr())
}

// prepareDatabase makes the table, and a user with the rights that a site needs.
func (w *World) prepareDatabase(ctx context.Context) error {
	admin, err := w.admin(Regions[0], "")
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+database); err != nil {
		return err
	}
	db, err := w.admin(Regions[0], database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := store.Migrate(ctx, db, w.c.Engine); err != nil {
		return err
	}
	if err := w.rotate(ctx, db); err != nil {
		return err
	}
	if w.c.Engine == "mysql" {
		return nil
	}
	return requirePassword(ctx, db)
}

// requirePassword puts a rule before those of Postgres's own, which trust
// everyone on this machine: the site's user needs its password.
func requirePassword(ctx context.Context, db *sql.DB) error {
	var path string
	if err := db.QueryRowContext(ctx, "SHOW hba_file").Scan(&path); err != nil {
		return err
	}
	rules, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append([]byte("host all app 127.0.0.1/32 scram-sha-256\n"), rules...), 0o600); err != nil { // the file's owner stays
		return err
	}
	_, err = db.ExecContext(ctx, "SELECT pg_reload_conf()")
	return err
}

// Rotate gives the site's database user a new password and stores it in the
// secret, as Secrets Manager's rotation does. Connections that are open go on.
func (w *World) Rotate(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	db, err := w.admin(w.writer, database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := w.rotate(ctx, db); err != nil {
		return err
	}
	if reader := w.db[other(w.writer)]; reader != nil {
		return reader.CatchUp(ctx, w.db[w.writer])
	}
	return nil
}

func (w *World) rotate(ctx context.Context, db *sql.DB) error {
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	password := hex.EncodeToString(secret)
	if err := store.CreateUser(ctx, db, w.c.Engine, "app", password, false); err != nil {
		return err
	}
	return w.Secrets.Set(databaseSecret, map[string]string{"username": "app", "password": password})
}

// Disconnect breaks the sites' connections, so that they log in again.
func (w *World) Disconnect() {
	for _, e := range w.endpoints {
		e.disconnect()
	}
}

// admin opens a Region's database with all rights, beside the endpoint.
func (w *World) admin(region, name string) (*sql.DB, error) {
	s := w.db[region]
	if s == nil {
		return nil, fmt.Errorf("%s has no database", region)
	}
	return sql.Open(s.DSN(s.Addr(), name))
}

// prepareAWS makes the keys, and points the AWS SDK to what plays AWS.
func (w *World) prepareAWS() (*policy.Policy, error) {
	env := map[string]string{
		"AWS_ENDPOINT_URL_KMS": w.KMS.URL(), "AWS_ENDPOINT_URL_SECRETS_MANAGER": w.Secrets.URL, "AWS_ENDPOINT_URL_CLOUDWATCH": w.CloudWatch.URL,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}
	switch w.c.Keys {
	case policies.MultiRegion:
		arns := w.KMS.CreateMultiRegionKey(Regions...)
		for i, r := range Regions {
			w.keys[r] = arns[i]
		}
	default:
		for _, r := range Regions {
			w.keys[r] = w.KMS.CreateKey(r)
		}
	}
	env["KEY_ARN"], env["SECOND_KEY_ARN"] = w.keys[Regions[0]], w.keys[Regions[1]]
	var errs []error
	for name, value := range env {
		errs = append(errs, os.Setenv(name, value))
	}
	session := make([]byte, 32)
	_, _ = rand.Read(session) // never fails
	errs = append(errs, w.Secrets.Set(operatorSecret, map[string]string{"password": OperatorPassword, "session_key": hex.EncodeToString(session)}))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return policies.Load(w.c.Keys)
}

func (w *World) startSites(ctx context.Context, p *policy.Policy) error {
	running, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.wg.Go(func() { w.alarms.watch(running) })
	listeners := map[string]net.Listener{}
	for i, region := range Regions {
		port := 0
		if i < len(w.c.Ports) {
			port = w.c.Ports[i]
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			for _, l := range listeners {
				_ = l.Close() // the other's error is what matters
			}
			return fmt.Errorf("the site of %s needs the port: %w", region, err)
		}
		listeners[region], w.addrs[region] = l, l.Addr().String()
	}
	for _, region := range Regions {
		settings := site.Settings{
			Region: region, Engine: w.c.Engine, DatabaseSecret: databaseSecret, OperatorSecret: operatorSecret, Policy: p, Other: w.URL(other(region)),
			Log: w.c.Log, Drills: w, Attempts: w.c.Attempts, Visits: 1 << 30, Now: w.c.Now,
		}
		_, dsn := w.db[region].DSN(w.endpoints[region].addr(), database)
		if region == Regions[0] {
			settings.DSN = dsn
		} else {
			settings.ReplicaDSN = dsn
		}
		s, err := site.Open(ctx, settings)
		if err != nil {
			return err
		}
		w.sites[region] = s
		server := site.HTTPServer(s)
		server.ErrorLog = slog.NewLogLogger(w.c.Log.Handler(), slog.LevelWarn)
		w.wg.Go(func() {
			if err := site.Serve(running, server, func() error { return server.Serve(listeners[region]) }); err != nil && !errors.Is(err, http.ErrServerClosed) {
				w.c.Log.Error("serve", "region", region, "error", err)
			}
		})
	}
	return nil
}

// seed creates the invented accounts as the site does.
func (w *World) seed(ctx context.Context) error {
	for i, c := range Customers {
		a := store.Account{Number: c.Number, User: c.User, PIN: c.PIN}
		if err := w.sites[Regions[0]].Store.Create(ctx, a, strings.Repeat("0", 21)+fmt.Sprint(i)); err != nil {
			return err
		}
	}
	return w.db[Regions[1]].CatchUp(ctx, w.db[Regions[0]])
}

// DSN is how a site reaches a Region's database; its login is in the secret
// twinport/database.
func (w *World) DSN(region string) string {
	_, dsn := w.db[region].DSN(w.endpoints[region].addr(), database)
	return dsn
}
