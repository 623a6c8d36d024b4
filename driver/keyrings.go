package driver

import (
	"context"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/keyrings"
)

// newKeyrings returns the connector's keyrings. The catalog's connections serve
// key stores.
func (c *Connector) newKeyrings() *keyrings.Set {
	s := &c.settings
	return keyrings.New(keyrings.Config{
		AWS: s.aws, Keyrings: s.keyrings, Stores: s.stores, OlderSuites: s.olderSuites, SelfCheck: s.selfCheck, ReadKeys: s.readKeys,
		DB: c.catalog.db, Server: c.server.Name(), Counters: c.stats, OnMissing: c.wrappingMissing,
		OnCall: func(call alert.KMSCall, took time.Duration) { c.alerts.Observe(context.Background(), call, took) },
	})
}

// wrappingMissing reports a wrapping that a value was written without.
func (c *Connector) wrappingMissing(ctx context.Context, m keyrings.Missing) {
	e := alert.Event{Kind: alert.WrappingMissing, Region: m.Region}
	f, _ := ctx.Value(sealing{}).(*finding)
	if f != nil {
		e.Table, e.Column = f.col.table, f.col.name
	}
	c.alerts.Raise(ctx, e, func(e *alert.Event) {
		e.KeyARN, e.Err = m.KeyARN, "a value was written without this wrapping (keyring "+m.Keyring+")"
		if f != nil {
			f.describe(e)
		}
	})
}

// sealing is the key under which a context carries the [finding] that says
// which value is being sealed.
type sealing struct{}
