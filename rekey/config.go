package rekey

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/rekey/internal/engine"
)

// Mode says what a job does. The zero value is invalid.
type Mode string

// The modes.
const (
	Backfill  Mode = "backfill"  // plaintext becomes ciphertext
	Reencrypt Mode = "reencrypt" // any readable value becomes what the policy writes
	Repair    Mode = "repair"    // values with missing or superfluous wrappings are sealed again
	Verify    Mode = "verify"    // every value is opened for its row, and its term compared; nothing is written
	Reindex   Mode = "reindex"   // equality terms that are missing, or another value's or key's, are made anew
)

// Defaults of [Config].
const (
	DefaultPageRows    = engine.DefaultPageRows    // 500
	DefaultConcurrency = engine.DefaultConcurrency // 64 values at a time
	DefaultMaxFailures = engine.DefaultMaxFailures // 100 rows
	DefaultPatience    = engine.DefaultPatience    // 30 s
)

// Config describes a job: one mode on one column of one table.
type Config struct {
	// DB is a sql.DB of the base driver, not of sealsql's.
	DB     *sql.DB
	Policy *policy.Policy
	// Options are passed to [driver.NewSealer]: AWS configuration, keyrings.
	Options []driver.Option

	Mode Mode
	// Table and Column are named as the policy names them.
	Table, Column string
	// From, in mode Backfill, is a column in clear of the same table whose
	// values are sealed into Column where that is NULL. Empty: in place.
	From string

	// OldPolicy says how values were written before; mode Reencrypt reads with
	// it what the policy does not read. OldKeys are KMS keys under which values of
	// the policy's own context may be wrapped.
	OldPolicy *policy.Policy
	OldKeys   []string
	// Rebind lets mode Reencrypt take values whose context does not fit their
	// row. A value that was moved here by an attacker is then made this row's own.
	Rebind bool
	// Force seals values again that are right already: a new data key, or a new
	// version of the branch key.
	Force bool

	// ToFormat, in mode Reencrypt, is the format that values are brought into,
	// whatever the policy's keyring says. Empty: as the keyring says.
	ToFormat policy.Format
	// FindOrigin, in mode Verify, looks in the table for the rows that compact
	// values which do not verify come from; see [Report.Origins].
	FindOrigin bool

	// CheckAll opens every new value through KMS before it is written. Otherwise
	// each is opened with the data key that it was sealed with, and the first of every
	// hundred through KMS, too.
	CheckAll bool

	// PageRows is the number of rows of a transaction; zero means 500.
	PageRows int
	// Concurrency is how many values are worked on at a time; zero means 64.
	Concurrency int
	// KMSPerSecond and RowsPerSecond bound the rates; zero means no bound.
	KMSPerSecond, RowsPerSecond float64
	// MaxReplicaLag pauses the job while a replica is further behind; zero
	// means that nobody asks. ReplicaLag replaces the question put to DB, which
	// only Postgres answers, to accounts with pg_read_all_stats.
	MaxReplicaLag time.Duration
	ReplicaLag    func(context.Context) (time.Duration, error)
	// MaxFailures stops the job after so many failed rows; zero means 100,
	// negative no bound.
	MaxFailures int
	// Patience is how long a value is tried again while KMS cannot be used,
	// and a page while the database cannot; zero means 30 seconds.
	Patience time.Duration

	// Shard of Shards is the part of the key space that this job works on;
	// Shards of zero or one means all of it.
	Shard, Shards int

	// Checkpoint records progress; nil records none. Resume
	// goes on where it stands; Restart forgets it.
	Checkpoint      *Checkpoint
	Resume, Restart bool

	// DryRun reads and inspects, and makes no call of KMS and no change.
	DryRun bool

	// Stop, when closed, ends the job after the pages in hand.
	Stop <-chan struct{}
	// Progress, if set, is called after each page. It must return at once.
	Progress func(Report)
	// Log is told what happens; nil means nobody is.
	Log *slog.Logger
}

// Job names the job in checkpoints and reports.
func (c *Config) Job() string {
	internal := c.engine()
	return internal.Job()
}

// engine returns the engine's form of the configuration.
func (c *Config) engine() engine.Config {
	e := engine.Config{
		DB: c.DB, Policy: c.Policy, Options: c.Options,
		Mode: engine.Mode(c.Mode), Table: c.Table, Column: c.Column, From: c.From,
		OldPolicy: c.OldPolicy, OldKeys: c.OldKeys, Rebind: c.Rebind, Force: c.Force, CheckAll: c.CheckAll, ToFormat: c.ToFormat, FindOrigin: c.FindOrigin,
		PageRows: c.PageRows, Concurrency: c.Concurrency, KMSPerSecond: c.KMSPerSecond, RowsPerSecond: c.RowsPerSecond,
		MaxReplicaLag: c.MaxReplicaLag, ReplicaLag: c.ReplicaLag, MaxFailures: c.MaxFailures, Patience: c.Patience,
		Shard: c.Shard, Shards: c.Shards, Resume: c.Resume, Restart: c.Restart, DryRun: c.DryRun, Stop: c.Stop, Log: c.Log,
	}
	if c.Checkpoint != nil {
		e.Checkpoint = c.Checkpoint.engine
	}
	if c.Progress != nil {
		e.Progress = func(r engine.Report) { c.Progress(newReport(r)) }
	}
	return e
}
