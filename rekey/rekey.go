// Package rekey moves the values of protected columns from Go: what the commands
// sealsql backfill, reencrypt, repair, verify and report do.
//
//	r, err := rekey.Run(ctx, rekey.Config{
//		DB: bare, Policy: p, Mode: rekey.Reencrypt, Table: "accounts", Column: "ssn",
//		Checkpoint: rekey.NewTable(bare, postgres.Dialect), Resume: true,
//	})
//
// DB is a sql.DB of the base driver (pgx, go-sql-driver/mysql) with at least four
// connections; driver/postgres or driver/mysql must be imported. A value is written
// only after the new one was opened and found equal, and only in the place of the
// value that was read: applications may go on writing. See docs/OPERATIONS.md for the
// order in which to deploy.
package rekey

import (
	"context"
	"database/sql"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/rekey/internal/engine"
)

// Errors that end a job; [Run] wraps them, test with errors.Is.
var (
	ErrConfig          = engine.ErrConfig          // the job cannot be run as it is described
	ErrRunning         = engine.ErrRunning         // another process works on the same job
	ErrUnfinished      = engine.ErrUnfinished      // the checkpoint is of a job that did not finish: resume or restart it
	ErrStopped         = engine.ErrStopped         // the job was stopped before its end; the checkpoint says where
	ErrTooManyFailures = engine.ErrTooManyFailures // more rows failed than MaxFailures
	ErrCheckpoint      = engine.ErrCheckpoint      // the checkpoint cannot be written or read
)

// Run carries out a job. The report is meaningful beside an error, too; after
// [ErrStopped], or when ctx ended, what was recorded is done and Resume goes on from there.
func Run(ctx context.Context, c Config) (Report, error) {
	r, err := engine.Run(ctx, c.engine())
	return newReport(r), err
}

// Checkpoint keeps a job's state. [NewFile] and [NewTable] make one. A Checkpoint
// serves one job at a time.
type Checkpoint struct{ engine engine.Checkpoint }

// NewFile returns a checkpoint in a file, which is made if it is not there. A lock
// beside it keeps a second process out. Its folder must stay: on Kubernetes, a volume.
func NewFile(path string) *Checkpoint { return &Checkpoint{engine.NewFile(path)} }

// NewTable returns a checkpoint in the table sealsql_jobs, which is made if it is not
// there; it is written in the transaction of each page. db is a sql.DB of the base driver.
// A job with a dialect that is not known fails with [ErrConfig].
func NewTable(db *sql.DB, dialect driver.Dialect) *Checkpoint {
	return &Checkpoint{engine.NewTable(db, string(dialect))}
}

// InspectRow inspects the value of one row, whose row key is given as text.
func InspectRow(ctx context.Context, c Config, key []string) (inspect.Value, error) {
	return engine.InspectRow(ctx, c.engine(), key)
}

// Estimate is about how many rows a job will read, from the server's statistics;
// 0 if they do not say.
func Estimate(ctx context.Context, db *sql.DB, dialect driver.Dialect, schema, table string, shards int) int64 {
	return engine.Estimate(ctx, db, string(dialect), schema, table, shards)
}

// ReplicaLag asks a replica how far it is behind. A server that is no replica, or a
// dialect that is not known, gives an error that wraps [ErrConfig].
func ReplicaLag(ctx context.Context, replica *sql.DB, dialect driver.Dialect) (time.Duration, error) {
	return engine.ReplicaLag(ctx, replica, string(dialect))
}
