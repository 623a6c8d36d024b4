package driver

import (
	"database/sql"
	"errors"

	"github.com/sealsql/sealsql/alert"
)

// Stats returns the statistics of a sql.DB that was opened through this
// package.
func Stats(db *sql.DB) (alert.Snapshot, error) {
	c, err := Of(db)
	if err != nil {
		return alert.Snapshot{}, err
	}
	return c.Stats(), nil
}

// Stats returns a snapshot. The numbers are read one after the other, while
// others may grow.
func (c *Connector) Stats() alert.Snapshot {
	s := alert.Snapshot{Caches: map[string]alert.CacheStats{}}
	c.alerts.Report(&s)
	c.stats.Report(&s)
	c.keys.Report(&s)
	if e := c.engine.Load(); e != nil { // else a sink asked while the connector was being made
		e.Report(&s)
	}
	return s
}

// Of returns the Connector beneath a sql.DB, or an error if it was not opened
// through this package.
func Of(db *sql.DB) (*Connector, error) {
	if d, ok := db.Driver().(interface{ owner() *Connector }); ok {
		return d.owner(), nil
	}
	return nil, errors.New("sealsql: the sql.DB was not opened through sealsql; open it as sealsql-pgx or sealsql-mysql, or over driver.NewConnector")
}
