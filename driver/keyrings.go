package driver

import (
	"context"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/seal"
)

// newKeyrings returns the connector's keyrings. The catalog's connections serve
// key stores.
func (c *Connector) newKeyrings() *keyrings.Set {
	s := &c.settings
	return keyrings.New(keyrings.Config{
		AWS: s.aws, Keyrings: s.keyrings, Stores: s.stores, OlderSuites: s.olderSuites, SelfCheck: s.selfCheck, ReadKeys: s.readKeys,
		DB: c.catalog.DB(), SQL: c.server.BranchKeySQL(), Counters: c.stats,
		OnMissing: func(ctx context.Context, m keyrings.Missing) { seal.ReportMissing(ctx, c.alerts, m) },
		OnCall:    func(call alert.KMSCall, took time.Duration) { c.alerts.Observe(context.Background(), call, took) },
	})
}
