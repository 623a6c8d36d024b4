package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
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
	DefaultPageRows    = 500
	DefaultConcurrency = 64
	DefaultMaxFailures = 100
	DefaultPatience    = 30 * time.Second
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

	// Checkpoint records progress; nil means that none is recorded. Resume
	// goes on where it stands; Restart forgets it.
	Checkpoint      Checkpoint
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

// Errors that end a job. Run wraps them.
var (
	// ErrConfig: the job cannot be run as it is described.
	ErrConfig = errors.New("rekey: the job cannot be run")
	// ErrRunning: another process works on the same job.
	ErrRunning = errors.New("rekey: the job runs already")
	// ErrUnfinished: the checkpoint is of a job that did not finish.
	ErrUnfinished = errors.New("rekey: an unfinished job stands in the checkpoint")
	// ErrStopped: the job was stopped before its end; the checkpoint says where.
	ErrStopped = errors.New("rekey: stopped before the end")
	// ErrTooManyFailures: more rows failed than MaxFailures.
	ErrTooManyFailures = errors.New("rekey: too many rows failed")
	// ErrCheckpoint: the checkpoint cannot be written or read.
	ErrCheckpoint = errors.New("rekey: the checkpoint cannot be used")
)

func (c *Config) complete() error {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&c.PageRows, DefaultPageRows)
	set(&c.Concurrency, DefaultConcurrency)
	set(&c.MaxFailures, DefaultMaxFailures)
	set(&c.Shards, 1)
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.validate(); err != nil {
		return err
	}
	if err := c.refuseClear(); err != nil {
		return err
	}
	return c.chooseFormat()
}

// validate fails for settings that contradict each other.
func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
	}
	switch {
	case c.DB == nil || c.Policy == nil:
		return bad("a job needs a database and a policy")
	case c.Mode != Backfill && c.Mode != Reencrypt && c.Mode != Repair && c.Mode != Verify && c.Mode != Reindex:
		return bad("the mode %q is not known", c.Mode)
	case c.PageRows < 1 || c.Concurrency < 1 || c.KMSPerSecond < 0 || c.RowsPerSecond < 0:
		return bad("a size or a rate is negative")
	case c.Shards < 1 || c.Shard < 0 || c.Shard >= c.Shards:
		return bad("shard %d of %d does not exist; shards are numbered from 0", c.Shard, c.Shards)
	case c.Resume && c.Restart:
		return bad("resume and restart exclude each other")
	}
	return c.validateMode(bad)
}

// validateMode fails for settings that belong to another mode.
func (c *Config) validateMode(bad func(format string, args ...any) error) error {
	switch {
	case c.From != "" && c.Mode != Backfill:
		return bad("only backfill goes from column to column")
	case (c.OldPolicy != nil || len(c.OldKeys) > 0 || c.Rebind) && c.Mode != Reencrypt:
		return bad("old policies and keys, and rebinding, belong to reencrypt")
	case c.ToFormat != "" && c.Mode != Reencrypt:
		return bad("the format of new values belongs to reencrypt")
	case c.FindOrigin && c.Mode != Verify:
		return bad("origins are looked for by verify")
	}
	return nil
}

// refuseClear fails for a job that seals values of a column which the policy writes in
// clear: processes that cannot read them may still run.
func (c *Config) refuseClear() error {
	if c.Mode == Verify {
		return nil
	}
	if col, ok := c.column(); ok && col.Writes == policy.WritesClear {
		return fmt.Errorf("%w: the policy says writes: clear for %s.%s; deploy a policy without it to every process first", ErrConfig, c.Table, c.Column)
	}
	return nil
}

// column is the job's column in the policy; ok is false for an unknown one, which is told
// later.
func (c *Config) column() (col policy.Column, ok bool) {
	for _, t := range c.Policy.Tables() {
		i := slices.IndexFunc(t.Columns, func(col policy.Column) bool { return col.Name == c.Column })
		if t.FullName() == c.Table && i >= 0 {
			return t.Columns[i], true
		}
	}
	return policy.Column{}, false
}

// chooseFormat gives the column's keyring the format of ToFormat.
func (c *Config) chooseFormat() error {
	col, ok := c.column()
	if c.ToFormat == "" || !ok {
		return nil
	}
	p, err := c.Policy.WithFormat(col.Keyring, c.ToFormat)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c.Policy = p
	return nil
}

// Job names a job in checkpoints.
func (c *Config) Job() string {
	name := fmt.Sprintf("%s %s.%s", c.Mode, c.Table, c.Column)
	if c.From != "" {
		name += " from " + c.From
	}
	if c.ToFormat != "" {
		name += " to " + string(c.ToFormat)
	}
	if c.Shards > 1 {
		name += fmt.Sprintf(" shard %d/%d", c.Shard, c.Shards)
	}
	return name
}
