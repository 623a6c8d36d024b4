package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/rekey"
)

// jobFlags are the flags of the commands that work through tables.
type jobFlags struct {
	mode                            rekey.Mode
	table, column, from, to         string
	oldPolicy, checkpoint, shard    string
	replicaDSN                      string
	oldKeys                         []string
	page, concurrency, maxFailures  int
	kmsRPS, rowsPerSecond           float64
	maxReplicaLag, patience         time.Duration
	resume, restart, dryRun, rebind bool
	force, keys, checkAll           bool
	toFormat                        string
	findOrigin                      bool
}

const jobHelp = `

The table is worked through by its row key, a page at a time. A new value is opened before it is
written, and written only in the place of the value that was read: applications may go on working, and a row
that changes meanwhile is read again. Progress is kept in the table sealsql_jobs (or a file, --checkpoint) with each page;
after Ctrl-C, a crash or a failure, --resume goes on and tries failed rows again. Running a finished
job again changes nothing. Every row is accounted for: read = changed + already right + skipped + failed.`

func (a *app) jobCommands() []*cobra.Command {
	backfill := &jobFlags{mode: rekey.Backfill}
	reencrypt := &jobFlags{mode: rekey.Reencrypt}
	repair := &jobFlags{mode: rekey.Repair}
	verify := &jobFlags{mode: rekey.Verify}
	b := a.job(backfill, "Plaintext rows become ciphertext", `backfill seals what lies in a protected column in clear: in place, or with --from and --to
from one column to another of the same table. Set plaintext_reads: allow for the column while it runs, and take
it back afterwards. The equality terms of a searchable column are written beside its values; those of values that were sealed
before are reindex's work. The old plaintext stays in dead rows, logs and backups until those are gone.`,
		`  sealsql backfill --table accounts --column ssn --dry-run
  sealsql backfill --table accounts --from ssn --to ssn_sealed --kms-rps 500
  sealsql backfill --table accounts --column ssn --resume`)
	b.Flags().StringVar(&backfill.from, "from", "", "the column in clear whose values are sealed into --to")
	b.Flags().StringVar(&backfill.to, "to", "", "the protected column that --from is sealed into")
	r := a.job(reencrypt, "Any readable value becomes what the policy writes today", `reencrypt opens values under old keys, older suites, other contexts, and bare KMS ciphertexts
(legacy: kms_blob), and seals them as the policy says now, with a new data key. Values that are right already are left
alone, unless --force. Values of another format than the policy's are brought into its own, or into that of
--to-format, both ways. --old-policy tells how values were written before; --old-key names keys that the policy no
longer does.`,
		`  sealsql reencrypt --table accounts --dry-run
  sealsql reencrypt --table accounts --old-key arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
  sealsql reencrypt --old-policy policy-2023.yaml --kms-rps 1000 --rows-per-second 2000
  sealsql reencrypt --table accounts --to-format compact
  sealsql reencrypt --table accounts --shard auto/8 --resume   # on Kubernetes or AWS Batch`)
	f := r.Flags()
	f.StringVar(&reencrypt.oldPolicy, "old-policy", "", "a policy that says how values were written before")
	f.StringArrayVar(&reencrypt.oldKeys, "old-key", nil, "the ARN of a KMS key that values may still be wrapped under; may be repeated")
	f.BoolVar(&reencrypt.rebind, "rebind", false, "take values whose context is not their row's, and bind them to the row they are in. DANGER: a value that someone moved becomes valid where it is")
	f.BoolVar(&reencrypt.force, "force", false, "seal values again that are right already, with new data keys")
	f.StringVar(&reencrypt.toFormat, "to-format", "", "bring values into this format, message or compact, whatever the policy's format says (default as the policy says)")
	p := a.job(repair, "Values get the wrappings that they lack", `repair seals values again that lack a wrapping which the policy names, such as those
written while a Region was down, or that carry one which it no longer names. Others it leaves alone.`,
		`  sealsql repair --dry-run
  sealsql repair --table accounts --kms-rps 200`)
	v := a.job(verify, "Opens every value for its row; writes nothing", `verify opens every value of the protected columns as a read does, and lists those that do not open or
belong to another row. It writes nothing: progress is kept in a file only (--checkpoint FILE). The exit code is 3 if
a value failed.`,
		`  sealsql verify
  sealsql verify --region eu-west-1 --table accounts --column ssn
  sealsql verify --table accounts --find-origin`)
	v.Flags().BoolVar(&verify.findOrigin, "find-origin", false, "try each compact value that does not verify for every row of its table, and say where it comes from")
	x := a.job(&jobFlags{mode: rekey.Reindex}, "Equality terms that are missing or wrong are made anew", `reindex opens each value of a searchable column, or of a searchable path of documents, and writes its equality term where
there is none, or another value's. With two keys in the policy it fills the column of the second. Run it after backfill, and before statements
search the column.`,
		`  sealsql reindex --table users --column email
  sealsql reindex --table users --shard auto/8 --resume`)
	return []*cobra.Command{b, r, p, v, x}
}

func (a *app) job(j *jobFlags, short, long, example string) *cobra.Command {
	c := &cobra.Command{Use: string(j.mode), Short: short, Long: long + jobHelp, Example: example, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runJobs(cmd.Context(), j) }}
	f := c.Flags()
	f.StringVar(&j.table, "table", "", "only this table, named as the policy names it (default all)")
	f.StringVar(&j.column, "column", "", "only this protected column (default all)")
	if j.mode != rekey.Verify {
		f.BoolVar(&j.checkAll, "check-all", false, "open every new value through KMS before it is written; otherwise with the data key that it was sealed with, and one in a hundred through KMS")
	}
	f.IntVar(&j.page, "page", rekey.DefaultPageRows, "rows of a page, which is one transaction")
	f.IntVar(&j.concurrency, "concurrency", rekey.DefaultConcurrency, "values worked on at a time")
	f.Float64Var(&j.kmsRPS, "kms-rps", 0, "calls of KMS a second (default no bound)")
	f.Float64Var(&j.rowsPerSecond, "rows-per-second", 0, "rows read a second (default no bound)")
	f.DurationVar(&j.maxReplicaLag, "max-replica-lag", 0, "wait while a replica is further behind than this")
	f.StringVar(&j.replicaDSN, "replica-dsn", "", "the replica to ask for its lag, better given as $SEALSQL_REPLICA_DSN; Postgres's primary can be asked without one")
	f.IntVar(&j.maxFailures, "max-failures", rekey.DefaultMaxFailures, "stop after so many failed rows; -1 for no bound")
	f.DurationVar(&j.patience, "patience", rekey.DefaultPatience, "how long to try again while KMS or the database cannot be used")
	f.BoolVar(&j.dryRun, "dry-run", false, "count rows, KMS calls, their price and the time; call no KMS and change nothing")
	f.StringVar(&j.shard, "shard", "", "work on part i of n of the key space, i/n from 0; auto/n takes i from JOB_COMPLETION_INDEX or AWS_BATCH_JOB_ARRAY_INDEX")
	def := "table"
	if j.mode == rekey.Verify {
		def = "none"
	}
	f.StringVar(&j.checkpoint, "checkpoint", def, "where progress is kept: table, none, or the path of a file (with several columns or shards, a folder)")
	f.BoolVar(&j.resume, "resume", false, "go on where the checkpoint stands, and try failed rows again")
	f.BoolVar(&j.restart, "restart", false, "forget the checkpoint and begin anew")
	f.BoolVar(&j.keys, "show-keys", false, "name failed rows by their row key; otherwise by its digest, as the driver's events do")
	return c
}

// shardOf reads i/n and auto/n.
func shardOf(s string) (i, n int, err error) {
	if s == "" {
		return 0, 1, nil
	}
	first, second, _ := strings.Cut(s, "/")
	if n, err = strconv.Atoi(second); err != nil || n < 1 {
		return 0, 0, usagef("--shard %s is not i/n or auto/n", s)
	}
	if first == "auto" {
		for _, name := range []string{"JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"} {
			if first = os.Getenv(name); first != "" {
				break
			}
		}
		if first == "" {
			return 0, 0, usagef("--shard %s needs JOB_COMPLETION_INDEX (a Kubernetes Indexed Job) or AWS_BATCH_JOB_ARRAY_INDEX (an AWS Batch array job)", s)
		}
	}
	if i, err = strconv.Atoi(first); err != nil || i < 0 || i >= n {
		return 0, 0, usagef("--shard %s/%d does not exist: shards are numbered from 0 to %d", first, n, n-1)
	}
	return i, n, nil
}

func (a *app) runJobs(ctx context.Context, j *jobFlags) error {
	if err := j.fromAndTo(); err != nil {
		return err
	}
	shard, shards, err := shardOf(j.shard)
	if err != nil {
		return err
	}
	p, db, dialect, err := a.both(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	list, err := columns(p, j.table, j.column)
	if err != nil {
		return err
	}
	if j.mode == rekey.Reindex {
		if list = searchable(p, list); len(list) == 0 {
			return usagef("no column named is searchable, nor a path of one; write search: {equality: {column: …}} in the policy")
		}
	}
	base := j.config(db, p)
	base.Shard, base.Shards = shard, shards
	if base.Options, err = awsOptions(ctx, j.concurrency); err != nil {
		return err
	}
	if j.oldPolicy != "" {
		if base.OldPolicy, err = policy.Load(j.oldPolicy); err != nil {
			return err
		}
	}
	closeReplica, err := a.askReplica(ctx, j, &base)
	if err != nil {
		return err
	}
	defer closeReplica()
	ctx, stop, done := signals(ctx)
	defer done()
	base.Stop = stop
	show := a.newProgress(db, dialect)
	base.Log = show.log
	var reports []rekey.Report
	for _, at := range list {
		c := base
		c.Table, c.Column = at.table, at.column
		if c.Checkpoint, err = checkpoint(j, &c, db, dialect, len(list)); err != nil {
			return err
		}
		show.begin(ctx, &c)
		r, err := rekey.Run(ctx, c)
		show.end(r)
		reports = append(reports, r)
		if err != nil {
			return a.interrupted(reports, j, err)
		}
	}
	return a.showReports(reports, j)
}

// searchable are those of the places whose terms a job can make.
func searchable(p *policy.Policy, list []place) []place {
	return slices.DeleteFunc(slices.Clone(list), func(at place) bool {
		for _, t := range p.Tables() {
			for _, c := range t.Columns {
				if t.FullName() == at.table && c.Name == at.column {
					inPaths := slices.ContainsFunc(c.Paths, func(p policy.DocumentPath) bool { return p.Equality != nil })
					return c.Equality == nil && !inPaths || slices.Contains(t.RowKey, c.Name)
				}
			}
		}
		return true
	})
}

// fromAndTo takes --to for --column.
func (j *jobFlags) fromAndTo() error {
	if (j.from == "") != (j.to == "") {
		return usagef("--from and --to go together")
	}
	if j.to == "" {
		return nil
	}
	if j.column != "" && j.column != j.to {
		return usagef("--column and --to name different columns")
	}
	j.column = j.to
	return nil
}

// config is what all jobs of a command line have in common.
func (j *jobFlags) config(db *sql.DB, p *policy.Policy) rekey.Config {
	return rekey.Config{DB: db, Policy: p, Mode: j.mode, From: j.from, OldKeys: j.oldKeys, Rebind: j.rebind, Force: j.force, CheckAll: j.checkAll,
		ToFormat: policy.Format(j.toFormat), FindOrigin: j.findOrigin,
		PageRows: j.page, Concurrency: j.concurrency, KMSPerSecond: j.kmsRPS, RowsPerSecond: j.rowsPerSecond, MaxReplicaLag: j.maxReplicaLag,
		MaxFailures: j.maxFailures, Patience: j.patience, Resume: j.resume, Restart: j.restart, DryRun: j.dryRun}
}

// checkpoint opens what --checkpoint names.
func checkpoint(j *jobFlags, c *rekey.Config, db *sql.DB, dialect string, jobs int) (*rekey.Checkpoint, error) {
	switch {
	case j.checkpoint == "none" || j.dryRun:
		if (j.resume || j.restart) && !j.dryRun {
			return nil, usagef("--resume and --restart need a checkpoint")
		}
		return nil, nil
	case j.checkpoint == "table":
		if j.mode == rekey.Verify {
			return nil, usagef("verify writes nothing to the database; keep its progress in a file: --checkpoint FILE")
		}
		return rekey.NewTable(db, driver.Dialect(dialect)), nil
	}
	info, err := os.Stat(j.checkpoint)
	if err == nil && info.IsDir() {
		name := strings.NewReplacer(" ", "-", "/", "of").Replace(c.Job())
		return rekey.NewFile(j.checkpoint + string(os.PathSeparator) + name + ".json"), nil
	}
	if jobs > 1 || c.Shards > 1 {
		return nil, usagef("--checkpoint %s must be a folder that exists: there are several jobs", j.checkpoint)
	}
	return rekey.NewFile(j.checkpoint), nil
}

func (a *app) askReplica(ctx context.Context, j *jobFlags, c *rekey.Config) (func(), error) {
	if j.replicaDSN == "" {
		j.replicaDSN = os.Getenv("SEALSQL_REPLICA_DSN")
	}
	if j.maxReplicaLag == 0 || j.replicaDSN == "" {
		return func() {}, nil
	}
	replica, name, err := a.connect(ctx, j.replicaDSN)
	if err != nil {
		return nil, fmt.Errorf("the replica: %w", err)
	}
	c.ReplicaLag = func(ctx context.Context) (time.Duration, error) {
		return rekey.ReplicaLag(ctx, replica, driver.Dialect(name))
	}
	return func() { _ = replica.Close() }, nil
}

// signals ends the job after the batch in hand at the first signal, and at once
// at the second.
func signals(ctx context.Context) (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop, got := make(chan struct{}), make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-got:
		case <-ctx.Done():
			return
		}
		fmt.Fprintln(os.Stderr, "sealsql: finishing the batch in hand; again to stop at once")
		close(stop)
		select {
		case <-got:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, stop, func() { signal.Stop(got); cancel() }
}

// interrupted reports what was done before an error, and how to go on.
func (a *app) interrupted(reports []rekey.Report, j *jobFlags, err error) error {
	if shown := a.showReports(reports, j); shown != nil && !errors.As(shown, new(finding)) {
		return errors.Join(err, shown)
	}
	resumable := j.checkpoint != "none" && !j.dryRun && !errors.Is(err, rekey.ErrConfig) && !errors.Is(err, rekey.ErrRunning) && !errors.Is(err, rekey.ErrUnfinished)
	if errors.Is(err, context.Canceled) {
		err = rekey.ErrStopped
	}
	if resumable {
		return fmt.Errorf("%w\n  to go on: %s", err, resumeCommand(os.Args[1:]))
	}
	return err
}

// resumeCommand is the command line with --resume, as a shell takes it, without a
// DSN that may hold a password.
func resumeCommand(args []string) string {
	out := []string{"sealsql"}
	for i := 0; i < len(args); i++ {
		name, _, together := strings.Cut(args[i], "=")
		variable, isDSN := dsnVariables[name]
		switch {
		case isDSN && together:
			out = append(out, name+`="$`+variable+`"`)
		case isDSN:
			out = append(out, name, `"$`+variable+`"`)
			i++
		case name == "--restart" || name == "--resume":
		default:
			out = append(out, quoted(args[i]))
		}
	}
	return strings.Join(append(out, "--resume"), " ")
}

// dsnVariables are the variables that hold what the flags do.
var dsnVariables = map[string]string{"--dsn": "SEALSQL_DSN", "--replica-dsn": "SEALSQL_REPLICA_DSN"}

// quoted is an argument as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_=./:,@%+", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
