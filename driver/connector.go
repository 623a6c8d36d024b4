package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Connector wraps a base driver's connector: every connection it makes seals
// and opens protected values as its policy says. It is safe for concurrent use.
//
// It is a driver.Connector for [database/sql.OpenDB]; closing the sql.DB closes it.
type Connector struct {
	base     hidden
	driver   sqldriver.Driver
	server   server.Server
	settings settings
	catalog  *catalog.Catalog
	keys     *keyrings.Set
	alerts   *alert.Dispatcher
	stats    *alert.Counters
	engine   atomic.Pointer[exec.Engine]
	reload   sync.Mutex // held while the engine is replaced
	watcher  *watcher   // nil if the policy's file is not watched
	resets   bool       // whether sessions may change when their connections are used again

	// skips is true once the base driver showed that it takes no arguments
	// without a prepared statement.
	skips atomic.Bool
}

var (
	_ sqldriver.Connector = (*Connector)(nil)
	_ io.Closer           = (*Connector)(nil)
)

// hidden keeps a base connector from fmt, which prints the fields of nested values: pgx's
// connector holds the password in a field. Of a function fmt prints the address. The nil
// function holds no connector.
type hidden func() sqldriver.Connector

func hide(c sqldriver.Connector) hidden { return func() sqldriver.Connector { return c } }

// Format implements fmt.Formatter: nothing of a connector is for printing.
func (c *Connector) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "[sealsql connector]")
}

// PolicyEnv is the environment variable that names the policy's file.
const PolicyEnv = "SEALSQL_POLICY"

// NewConnector wraps base. The policy comes from [WithPolicy] or
// [WithPolicyFile], else from the file that SEALSQL_POLICY names; without one it
// fails. The dialect is recognised by base's driver if driver/postgres or
// driver/mysql is imported, else [WithDialect] must name it. No connection is opened.
func NewConnector(base sqldriver.Connector, opts ...Option) (*Connector, error) {
	if base == nil {
		return nil, errors.New("sealsql: the base connector is nil; pass the connector of the driver to wrap")
	}
	return newConnector(base, newSettings(opts))
}

func newSettings(opts []Option) settings {
	s := settings{closeIn: 5 * time.Second}
	for _, o := range opts {
		o(&s)
	}
	return s
}

// recognise finds the dialect of a sql.DB's or a connector's driver, unless it is set.
func (s *settings) recognise(of interface{ Driver() sqldriver.Driver }) (server.Server, error) {
	if s.dialect != "" {
		return server.Named(string(s.dialect))
	}
	known := server.Recognise(of.Driver())
	if known == nil {
		return nil, fmt.Errorf("sealsql: sealsql does not recognise the driver %T; import driver/postgres or driver/mysql, or name the dialect with driver.WithDialect", of.Driver())
	}
	return known, nil
}

func newConnector(base sqldriver.Connector, s settings) (*Connector, error) {
	p, content, err := s.load()
	if err != nil {
		return nil, err
	}
	srv, err := s.recognise(base)
	if err != nil {
		return nil, err
	}
	c := &Connector{base: hide(base), server: srv, settings: s, stats: alert.NewCounters(), resets: srv.Resets(base)}
	c.driver = wrapDriver(c, base.Driver())
	if s.static {
		c.catalog = catalog.Static(srv, s.schema)
	} else {
		c.catalog = catalog.New(srv, base)
	}
	c.keys = c.newKeyrings()
	sinks, err := s.policySinks(p, c.keys.AWS)
	if err != nil {
		return nil, errors.Join(err, c.catalog.Close())
	}
	c.alerts = alert.NewDispatcher(sinks)
	c.alerts.Start(c.Stats)
	e, err := c.compile(p)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.engine.Store(e)
	if err := c.watch(content); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Connector) compile(p *policy.Policy) (*exec.Engine, error) {
	return exec.New(exec.Config{Policy: p, Server: c.server, Catalog: c.catalog.Fork(), Keys: c.keys, Alerts: c.alerts, Counters: c.stats})
}

// load finds the policy. content is the file's, nil if it is not from one.
func (s *settings) load() (p *policy.Policy, content []byte, err error) {
	if s.policy != nil {
		return s.policy, nil, nil
	}
	path := s.policyPath
	if path == "" {
		path = os.Getenv(PolicyEnv)
	}
	if path == "" {
		return nil, nil, fmt.Errorf("%w: none is given; set sealsql_policy=PATH in the DSN, %s=PATH in the environment, or driver.WithPolicy", ErrPolicy, PolicyEnv)
	}
	s.policyPath = path
	if content, err = readPolicy(path); err != nil {
		return nil, nil, err
	}
	if p, err = policy.Parse(path, content); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return p, content, nil
}

// Connect implements driver.Connector. The first connection reads from the
// database what planning depends on; it fails if that cannot be read.
func (c *Connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	base, err := c.base().Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c.admit(ctx, base)
}

// admit wraps a new connection, through which the first one reads the catalog.
func (c *Connector) admit(ctx context.Context, base sqldriver.Conn) (sqldriver.Conn, error) {
	if err := c.start(ctx, base, c.base().Driver()); err != nil {
		_ = base.Close() // err says what went wrong
		return nil, err
	}
	return wrapConn(base, c), nil
}

// Driver implements driver.Connector. The driver that it returns wraps the base
// connector's driver, which [Unwrap] returns.
func (c *Connector) Driver() sqldriver.Driver { return c.driver }

// Unwrap returns the base connector.
func (c *Connector) Unwrap() any { return c.base() }

// Policy returns the policy in force.
func (c *Connector) Policy() *policy.Policy { return c.engine.Load().Policy() }

// Close ends the watch of the policy's file, closes the connections that sealsql opened for itself, delivers queued
// events for at most the close timeout, zeroes the data keys it holds, and closes the base
// connector if it can be closed. database/sql calls it when the sql.DB is closed.
func (c *Connector) Close() error {
	c.watcher.stop()
	err := c.catalog.Close()
	c.alerts.Close(c.settings.closeIn)
	c.keys.Close()
	if c.base != nil {
		if x, ok := c.base().(io.Closer); ok {
			err = errors.Join(err, x.Close())
		}
	}
	return err
}

// wrappedDriver is what a Connector's Driver returns.
type wrappedDriver struct {
	connector *Connector
	base      sqldriver.Driver
}

// wrappedDriverContext is a wrappedDriver over a base that has OpenConnector.
type wrappedDriverContext struct{ *wrappedDriver }

var (
	_ sqldriver.Driver        = (*wrappedDriver)(nil)
	_ sqldriver.DriverContext = wrappedDriverContext{}
)

func wrapDriver(c *Connector, base sqldriver.Driver) sqldriver.Driver {
	d := &wrappedDriver{connector: c, base: base}
	if _, ok := base.(sqldriver.DriverContext); ok {
		return wrappedDriverContext{d}
	}
	return d
}

// OpenConnector implements driver.DriverContext, under the same options.
func (d wrappedDriverContext) OpenConnector(name string) (sqldriver.Connector, error) {
	base, err := d.base.(sqldriver.DriverContext).OpenConnector(name)
	if err != nil {
		return nil, err
	}
	s := d.connector.settings
	return newConnector(base, s)
}

func (d *wrappedDriver) owner() *Connector { return d.connector }

// Open implements driver.Driver. The name is for the base driver.
func (d *wrappedDriver) Open(name string) (sqldriver.Conn, error) {
	base, err := d.base.Open(name)
	if err != nil {
		return nil, err
	}
	return d.connector.admit(context.Background(), base)
}

// Unwrap returns the base driver.
func (d *wrappedDriver) Unwrap() any { return d.base }

func splitTable(name string) (schema, table string) {
	if s, t, ok := strings.Cut(name, "."); ok {
		return s, t
	}
	return "", name
}
