package driver

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/policy"
)

// Reload reads the policy's file again and puts it in force in a sql.DB that
// was opened through this package, without a restart. See [Connector.Reload].
func Reload(db *sql.DB) error {
	c, err := Of(db)
	if err != nil {
		return err
	}
	return c.Reload(nil)
}

// reloadLimit bounds how long a reload may wait for the database.
const reloadLimit = 30 * time.Second

// Reload reads the policy's file again, or takes p if it is not nil, and puts
// it in force for statements that start afterwards, prepared ones included.
// What is in flight ends under the old policy: rows that are being read, statements
// that were sent, and every statement of a transaction that database/sql began
// before.
//
// If the new policy cannot be used the old one stays in force, an
// [alert.PolicyRejected] is raised, and the error says why: the file has a mistake,
// the database cannot be asked about it within 30 seconds, or its alerts
// differ, which only a restart changes. Reload is safe for concurrent use.
func (c *Connector) Reload(p *policy.Policy) error {
	var err error
	if p == nil {
		if c.settings.policyPath == "" {
			err = fmt.Errorf("%w: it was not read from a file; pass the new one", ErrPolicy)
		} else if p, err = policy.Load(c.settings.policyPath); err != nil {
			err = unusable(err)
		}
	}
	if err == nil {
		err = c.swap(context.Background(), p)
	}
	if err != nil {
		c.rejected(err)
	}
	return err
}

func unusable(err error) error {
	return fmt.Errorf("%w: the old policy stays in force: %w", ErrPolicy, err)
}

func (c *Connector) rejected(err error) {
	c.alerts.Raise(context.Background(), alert.Event{Kind: alert.PolicyRejected, Err: err.Error()}, nil)
}

// swap puts p in force.
//
// The connections that are handed out rely on the engine in force having
// started. So the new one starts before it takes the old one's place; if the old
// one has not started either, the swap is made while nothing can start it.
func (c *Connector) swap(ctx context.Context, p *policy.Policy) error {
	c.reload.Lock()
	defer c.reload.Unlock()
	old := c.engine.Load()
	if !reflect.DeepEqual(old.Policy().Alerts(), p.Alerts()) {
		return fmt.Errorf("%w: the old policy stays in force: the new policy has other alerts; restart the process", ErrPolicy)
	}
	e, err := c.compile(p)
	if err != nil {
		return unusable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	release, err := old.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if old.Started() {
		if err := e.Start(ctx); err != nil {
			return unusable(err)
		}
	}
	c.engine.Store(e)
	return nil
}
