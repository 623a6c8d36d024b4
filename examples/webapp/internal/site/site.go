// Package site puts one Region's site together from its settings: AWS
// configuration, database credentials, sealsql, metrics and pages. The local
// mode and a deployment differ in the settings alone.
package site

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	sqldriver "database/sql/driver"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/sealsql/sealsql/alert/otel"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/webapp/internal/credentials"
	"github.com/sealsql/sealsql/examples/webapp/internal/kmstrace"
	"github.com/sealsql/sealsql/examples/webapp/internal/store"
	"github.com/sealsql/sealsql/examples/webapp/internal/web"
	"github.com/sealsql/sealsql/policy"
)

// Settings are a Region's.
type Settings struct {
	Region string
	// Engine is "postgres" or "mysql". DSN is the writer's and ReplicaDSN the
	// reader's; one of them may be empty.
	Engine, DSN, ReplicaDSN string
	// DatabaseSecret is the secret with the database's login; empty leaves it to
	// the DSN. IAM uses tokens of IAM database authentication instead.
	DatabaseSecret string
	IAM            bool
	// OperatorSecret is the secret with {"password": …, "session_key": …}.
	OperatorSecret string
	Policy         *policy.Policy
	// Other is the address of the other Region's site.
	Other           string
	Secure, Proxied bool
	Log             *slog.Logger
	// Drills, Attempts, Visits and Now are those of [web.Config].
	Drills           web.Drills
	Attempts, Visits int
	Now              func() time.Time
}

// Site is a Region's running site. It is an [http.Handler].
type Site struct {
	*web.Server
	Store *store.Store
	Feed  *web.Feed

	stop   context.CancelFunc
	wg     sync.WaitGroup
	meters *sdkmetric.MeterProvider
}

// Open makes a site. AWS is configured by the SDK's environment, files and
// roles. The caller closes the site.
func Open(ctx context.Context, s Settings) (*Site, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read; see the AWS SDK's environment variables: %w", err)
	}
	secrets := secretsmanager.NewFromConfig(cfg)
	login, err := operators(ctx, secrets, s.OperatorSecret)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	site := &Site{Feed: web.NewFeed(), meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))}
	if site.Store, err = site.open(s, cfg, secrets); err != nil {
		return nil, err
	}
	site.Server, err = web.New(web.Config{
		Region: s.Region, Other: s.Other, Store: site.Store, Feed: site.Feed, SessionKey: []byte(login.SessionKey), OperatorPassword: login.Password,
		Secure: s.Secure, Proxied: s.Proxied, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Drills: s.Drills, Log: s.Log,
		Attempts: s.Attempts, Visits: s.Visits, Now: s.Now,
	})
	if err != nil {
		return nil, errors.Join(err, site.Store.Close())
	}
	sampling, stop := context.WithCancel(context.Background())
	site.stop = stop
	site.wg.Go(func() { site.Sample(sampling) })
	return site, nil
}

// operatorLogin is what the operators' secret holds.
type operatorLogin struct {
	Password   string `json:"password"`
	SessionKey string `json:"session_key"`
}

func operators(ctx context.Context, c *secretsmanager.Client, id string) (operatorLogin, error) {
	text, err := credentials.Read(ctx, c, id)
	if err != nil {
		return operatorLogin{}, err
	}
	var l operatorLogin
	if err := json.Unmarshal([]byte(text), &l); err != nil || len(l.Password) < 12 || len(l.SessionKey) < 32 {
		return operatorLogin{}, fmt.Errorf("secret %s is not the operators'; store {\"password\": at least 12 characters, \"session_key\": at least 32}", id)
	}
	return l, nil
}

func (site *Site) open(s Settings, cfg aws.Config, secrets *secretsmanager.Client) (*store.Store, error) {
	var source credentials.Source = credentials.DSN{}
	switch {
	case s.IAM:
		source = credentials.Token{AWS: cfg}
	case s.DatabaseSecret != "":
		source = &credentials.Secret{ID: s.DatabaseSecret, Client: secrets}
	}
	connector := func(dsn string) (sqldriver.Connector, error) {
		if dsn == "" {
			return nil, nil
		}
		return credentials.Connector(s.Engine, dsn, source)
	}
	writer, err := connector(s.DSN)
	if err != nil {
		return nil, err
	}
	reader, err := connector(s.ReplicaDSN)
	if err != nil {
		return nil, err
	}
	metrics, err := otel.New(site.meters)
	if err != nil {
		return nil, err
	}
	return store.Open(store.Config{Engine: s.Engine, Writer: writer, Reader: reader, Options: []driver.Option{
		driver.WithPolicy(s.Policy), driver.WithAWSConfig(kmstrace.Attach(cfg)), driver.WithSink(metrics),
		driver.WithAlertFunc(site.Feed.Alert), driver.WithLogger(s.Log),
	}})
}

// Close ends the site, delivering alerts that wait.
func (site *Site) Close() error {
	site.stop()
	site.wg.Wait()
	err := site.Store.Close()
	return errors.Join(err, site.meters.Shutdown(context.Background()))
}

// Serve serves handler until ctx ends, and then gives requests five seconds.
func Serve(ctx context.Context, server *http.Server, serve func() error) error {
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return server.Close() // pages with open event streams
	}
	return nil
}

// HTTPServer returns a server with time limits for a site.
func HTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}
