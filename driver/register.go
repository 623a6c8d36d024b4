package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
)

// Dialect names the family of servers that connections reach. The packages driver/postgres
// and driver/mysql have a constant each; an unknown name is an error of [NewConnector].
// The zero value stands for the dialect that the base driver is known to speak.
type Dialect string

// Opener is the sealsql driver for one base driver: what is registered with
// database/sql under the names sealsql-pgx and sealsql-mysql.
type Opener struct {
	// Dialect is the dialect of the base driver's connections.
	Dialect Dialect
	// Base opens the base driver's connector for a DSN.
	Base func(dsn string) (sqldriver.Connector, error)
	// Split takes sealsql's parameters out of a DSN.
	Split func(dsn string) (base string, params map[string]string, err error)
}

var (
	_ sqldriver.Driver        = (*Opener)(nil)
	_ sqldriver.DriverContext = (*Opener)(nil)
)

// OpenConnector implements driver.DriverContext. The DSN is the base driver's;
// its parameters sealsql_policy, which names the policy's file, and
// sealsql_policy_watch, see [WatchEnv], are taken out first.
func (o *Opener) OpenConnector(dsn string) (sqldriver.Connector, error) {
	base, params, err := o.Split(dsn)
	if err != nil {
		return nil, err
	}
	opts := []Option{WithDialect(o.Dialect)}
	for key, value := range params {
		switch key {
		case "sealsql_policy":
			opts = append(opts, WithPolicyFile(value))
		case "sealsql_policy_watch":
			every, err := watchInterval(value)
			if err != nil {
				return nil, fmt.Errorf("sealsql: the DSN's %s %w", key, err)
			}
			opts = append(opts, WithWatch(Watch{Every: every}))
		default:
			return nil, fmt.Errorf("sealsql: the DSN has an unknown parameter %s; sealsql's are sealsql_policy and sealsql_policy_watch", key)
		}
	}
	connector, err := o.Base(base)
	if err != nil {
		return nil, err
	}
	return NewConnector(connector, opts...)
}

// Open implements driver.Driver; database/sql calls OpenConnector instead.
func (o *Opener) Open(dsn string) (sqldriver.Conn, error) {
	c, err := o.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// Register makes a driver known under a name to database/sql. It panics if the name
// is taken, as [sql.Register] does.
func Register(name string, o *Opener) { sql.Register(name, o) }
