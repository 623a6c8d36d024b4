package sealpgx

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/exec"
)

// shared is what the connections of a pool share: a driver.Connector with its policy,
// plans, keyrings and alerts. It is safe for concurrent use.
type shared struct {
	connector *driver.Connector
	host      exec.Host
	// owned is true for a connector that was made for the pool.
	owned bool
	// hears is true if every statement that is prepared on a connection is heard of.
	hears bool
	// hooked is true if code of the application's may change a connection's settings
	// between two uses.
	hooked bool
	heard  heard
}

// under returns what connections under a connector share.
func under(connector *driver.Connector, owned bool) (*shared, error) {
	if connector == nil {
		return nil, errors.New("sealpgx: the connector is nil; pass the one of driver.NewConnector or driver.Of")
	}
	if connector.Sealer().Dialect() != postgres.Dialect {
		return nil, errors.New("sealpgx: the connector is not one of Postgres; share that of a sql.DB over pgx")
	}
	return &shared{connector: connector, host: exec.HostOf(connector), owned: owned}, nil
}

// close closes a connector that was made for the pool.
func (s *shared) close() error {
	if !s.owned {
		return nil
	}
	return s.connector.Close()
}

// base is pgx's own driver for database/sql, which serves to ask a session.
func base() sqldriver.Driver { return stdlib.GetDefaultDriver() }

// stateKey is where the state of a connection lies in its custom data.
const stateKey = "sealsql"

// of returns the state of a connection.
func (s *shared) of(base *pgx.Conn) *conn {
	data := base.PgConn().CustomData()
	if c, ok := data[stateKey].(*conn); ok && c.host == s.host {
		return c
	}
	forget(base)
	c := &conn{base: base, host: s.host, mode: base.Config().DefaultQueryExecMode, prepared: namesOf(base), heard: &s.heard, unheard: !s.hears}
	data[stateKey] = c
	return c
}

// admit returns the state of a connection. The first connection has the policy's engine
// read from the database what planning depends on: over connections of its own, since a
// hook, or an application, may have given this one other settings.
func (s *shared) admit(ctx context.Context, c *pgx.Conn) (*conn, error) {
	state := s.of(c)
	if s.hooked {
		state.session.Doubt()
	}
	if s.host.Engine().Started() {
		return state, nil
	}
	return state, s.host.Start(ctx)
}

// forget ends the state of a connection that is about to be closed.
func forget(base *pgx.Conn) {
	data := base.PgConn().CustomData()
	if c, ok := data[stateKey].(*conn); ok {
		c.session.Close()
		delete(data, stateKey)
	}
}
