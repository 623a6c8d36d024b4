// Package rekey moves the values of protected columns from Go: what the commands
// sealsql backfill, reencrypt, repair, verify and report do.
//
//	r, err := rekey.Run(ctx, rekey.Config{
//		DB: bare, Policy: p, Mode: rekey.Reencrypt, Table: "accounts", Column: "ssn",
//		Checkpoint: rekey.NewTable(bare, "postgres"), Resume: true,
//	})
//
// DB is a sql.DB of the base driver (pgx, go-sql-driver/mysql) with at least four
// connections; driver/postgres or driver/mysql must be imported. A value is written
// only after the new one was opened and found equal, and only in the place of the
// value that was read: applications may go on writing. See docs/OPERATIONS.md for the
// order in which to deploy, and docs/decisions/0007 for why this package is thin: its
// types are those of internal/rekey, where their fields are documented
// (go doc github.com/sealsql/sealsql/internal/rekey.Config).
package rekey

import (
	"context"
	"database/sql"
	"time"

	"github.com/sealsql/sealsql/driver"
	engine "github.com/sealsql/sealsql/internal/rekey"
)

// The engine's types.
type (
	// Config describes a job: one mode on one column of one table.
	Config = engine.Config
	// Mode says what a job does.
	Mode = engine.Mode
	// Report says what a job did.
	Report = engine.Report
	// Counts are of rows: Read = Changed + Right + skipped + Failed.
	Counts = engine.Counts
	// Failure is a row that could not be brought to what the policy says.
	Failure = engine.Failure
	// Forecast is what a dry run found.
	Forecast = engine.Forecast
	// Survey is what a column holds, without a single value opened.
	Survey = engine.Survey
	// Tally counts values and the bytes they take up as stored.
	Tally = engine.Tally
	// KeyTally counts the values that are wrapped under one key.
	KeyTally = engine.KeyTally
	// Checkpoint keeps a job's state.
	Checkpoint = engine.Checkpoint
)

// The modes.
const (
	Backfill  = engine.Backfill  // plaintext becomes ciphertext
	Reencrypt = engine.Reencrypt // any readable value becomes what the policy writes
	Repair    = engine.Repair    // values with missing or superfluous wrappings are sealed again
	Verify    = engine.Verify    // every value is opened for its row; nothing is written
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
func Run(ctx context.Context, c Config) (Report, error) { return engine.Run(ctx, c) }

// Look surveys a column without opening a value: nothing is written and KMS is not called.
func Look(ctx context.Context, c Config) (*Survey, error) { return engine.Look(ctx, c) }

// NewFile returns a checkpoint in a file; a lock beside it keeps a second
// process out.
func NewFile(path string) Checkpoint { return engine.NewFile(path) }

// NewTable returns a checkpoint in the table sealsql_jobs, which is made if it is not
// there; it is written in the transaction of each page. dialect is "postgres" or "mysql".
func NewTable(db *sql.DB, dialect string) Checkpoint { return engine.NewTable(db, dialect) }

// Defaults of [Config].
const (
	DefaultPageRows    = engine.DefaultPageRows    // 500
	DefaultConcurrency = engine.DefaultConcurrency // 64 values at a time
	DefaultMaxFailures = engine.DefaultMaxFailures // 100 rows
	DefaultPatience    = engine.DefaultPatience    // 30 s
)

// InspectRow inspects the value of one row, whose row key is given as text.
func InspectRow(ctx context.Context, c Config, key []string) (driver.Inspection, error) {
	return engine.InspectRow(ctx, c, key)
}

// Estimate is about how many rows a job will read, from the server's statistics;
// 0 if they do not say.
func Estimate(ctx context.Context, db *sql.DB, dialect, schema, table string, shards int) int64 {
	return engine.Estimate(ctx, db, dialect, schema, table, shards)
}

// ReplicaLag asks a replica how far it is behind; dialect is "postgres" or
// "mysql". A server that is no replica gives an error that wraps [ErrConfig].
func ReplicaLag(ctx context.Context, replica *sql.DB, dialect string) (time.Duration, error) {
	return engine.ReplicaLag(ctx, replica, dialect)
}
