package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

// Checkpoint keeps a job's state. [NewFile] and [NewTable] make one; a
// Checkpoint serves one job at a time.
type Checkpoint interface {
	// open takes the job for this process, or fails with [ErrRunning], and
	// returns its state, nil if there is none.
	open(ctx context.Context, job string) (*state, error)
	// intend records what the page in hand is about to write, before it is
	// written. A checkpoint that is written with the page does nothing.
	intend(s *state) error
	// within records the state in the page's own transaction, if it can.
	within(ctx context.Context, tx *sql.Tx, s *state) error
	// after records the state after the page was written, if within did not.
	after(ctx context.Context, s *state) error
	// written asks, after a commit whose answer was lost, whether the state was recorded.
	written(ctx context.Context, s *state) (bool, error)
	close() error
}

// state is what a checkpoint keeps of a job.
type state struct {
	// Fingerprint is of the policy and the job's description.
	Fingerprint string `json:"fingerprint"`
	// Page counts what was recorded.
	Page int64 `json:"page"`
	// After is the row key of the last row that is done with; nil at the start.
	After []string `json:"after,omitempty"`
	Counts
	Failures []Failure `json:"failures,omitempty"`
	Done     bool      `json:"done"`
	// Intended are digests of the values that were about to be written, for
	// checkpoints that lie outside the database.
	Intended []string `json:"intended,omitempty"`
}

func (s *state) clone() *state {
	c := *s
	c.Counts = s.Counts.clone()
	c.Failures = append([]Failure(nil), s.Failures...)
	c.After = append([]string(nil), s.After...)
	return &c
}

// digest tells a stored value apart from others.
func digest(value any) string {
	var b []byte
	switch v := value.(type) {
	case []byte:
		b = v
	case string:
		b = []byte(v)
	}
	h := sha256.Sum256(b)
	return base64.RawStdEncoding.EncodeToString(h[:12])
}

func checkpointError(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrCheckpoint, what, err)
}

// file is a checkpoint in a file, replaced as a whole each time. A lock on a
// file beside it, which the kernel drops with the process, keeps others out.
type file struct {
	path string
	lock *os.File
	// replace is os.Rename after everything was written; a test makes it fail.
	write func(path string, data []byte) error
}

// NewFile returns a checkpoint in the file of that path, which is made if it is
// not there. Its folder must stay: on Kubernetes, a volume.
func NewFile(path string) Checkpoint { return &file{path: path, write: replaceFile} }

func (f *file) open(_ context.Context, _ string) (*state, error) {
	lock, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, checkpointError("the lock cannot be made", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close() // err says what matters
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: another process holds %s.lock", ErrRunning, f.path)
		}
		return nil, checkpointError("the lock cannot be taken", err)
	}
	f.lock = lock
	data, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, checkpointError("it cannot be read", err)
	}
	return decodeState(data)
}

func decodeState(data []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, checkpointError("what it holds is no job's state; start anew with Restart", err)
	}
	return s, nil
}

func (f *file) save(s *state) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = f.write(f.path, data)
	}
	if err != nil {
		return checkpointError("it cannot be written", err)
	}
	return nil
}

// replaceFile writes beside the file and renames, so that there is always one
// whole state on the disk.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err says what matters
	}
	return err
}

func (f *file) intend(s *state) error                         { return f.save(s) }
func (f *file) within(context.Context, *sql.Tx, *state) error { return nil }
func (f *file) after(_ context.Context, s *state) error       { return f.save(s) }
func (f *file) written(context.Context, *state) (bool, error) { return false, nil }
func (f *file) close() error {
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.lock = nil
	return err
}

// table is a checkpoint in the table sealsql_jobs of the database itself: it is
// written in the transaction of the page, so that both are there or neither.
type table struct {
	db      *sql.DB
	dialect string
	jobs    server.Jobs // set by open
	job     string
	owner   string
	lock    *sql.Conn
}

// NewTable returns a checkpoint in the table sealsql_jobs, which is made if it
// is not there, of a database of the base driver; name is "postgres" or "mysql".
func NewTable(db *sql.DB, name string) Checkpoint {
	return &table{db: db, dialect: name, owner: rand.Text()}
}

func (t *table) open(ctx context.Context, job string) (*state, error) {
	srv, err := server.Named(t.dialect)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	t.job, t.jobs = job, srv.Jobs()
	if err := t.hold(ctx); err != nil {
		return nil, err
	}
	// Two processes that make the table at the same time may collide.
	if _, err := t.db.ExecContext(ctx, t.jobs.CheckpointTable()); err != nil {
		if _, again := t.db.ExecContext(ctx, "SELECT job FROM sealsql_jobs WHERE 1 = 0"); again != nil {
			return nil, checkpointError("the table sealsql_jobs cannot be made", err)
		}
	}
	data, err := t.read(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = t.db.ExecContext(ctx, "INSERT INTO sealsql_jobs (job, owner, state) VALUES ("+t.args(3)+")", job, t.owner, "")
		data = ""
	} else if err == nil {
		_, err = t.db.ExecContext(ctx, "UPDATE sealsql_jobs SET owner = "+t.jobs.Placeholder(1)+" WHERE job = "+t.jobs.Placeholder(2), t.owner, job)
	}
	if err != nil {
		return nil, checkpointError("the table sealsql_jobs cannot be used", err)
	}
	if data == "" {
		return nil, nil
	}
	return decodeState([]byte(data))
}

// hold takes the job's lock on a connection of its own, or takes it again after
// that connection was lost.
func (t *table) hold(ctx context.Context) error {
	if t.lock != nil && t.lock.PingContext(ctx) == nil {
		return nil
	}
	if t.lock != nil {
		_ = t.lock.Close() // it is gone
		t.lock = nil
	}
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	// A process that was killed holds the lock until the server has noticed.
	ok, err := t.jobs.TryLock(ctx, conn, t.job)
	for n := 0; err == nil && !ok && n < 20; n++ {
		if err = pause(ctx, 50*time.Millisecond); err == nil {
			ok, err = t.jobs.TryLock(ctx, conn, t.job)
		}
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: another process holds the lock of %q", ErrRunning, t.job)
	}
	if err != nil {
		_ = conn.Close() // err says what matters
		return err
	}
	t.lock = conn
	return nil
}

func (t *table) args(n int) string {
	out := t.jobs.Placeholder(1)
	for i := 2; i <= n; i++ {
		out += ", " + t.jobs.Placeholder(i)
	}
	return out
}

func (t *table) read(ctx context.Context) (data string, err error) {
	err = t.db.QueryRowContext(ctx, "SELECT state FROM sealsql_jobs WHERE job = "+t.jobs.Placeholder(1), t.job).Scan(&data)
	return data, err
}

func (t *table) intend(*state) error { return nil }

// within fails if another process has taken the job over.
func (t *table) within(ctx context.Context, tx *sql.Tx, s *state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return checkpointError("the state cannot be written", err)
	}
	res, err := tx.ExecContext(ctx, "UPDATE sealsql_jobs SET state = "+t.jobs.Placeholder(1)+" WHERE job = "+t.jobs.Placeholder(2)+" AND owner = "+t.jobs.Placeholder(3), string(data), t.job, t.owner)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%w: another process took %q over", ErrRunning, t.job)
	}
	return nil
}

func (t *table) after(context.Context, *state) error { return nil }

func (t *table) written(ctx context.Context, s *state) (bool, error) {
	if err := t.hold(ctx); err != nil {
		return false, err
	}
	data, err := t.read(ctx)
	if err != nil {
		return false, err
	}
	if data == "" {
		return false, nil
	}
	got, err := decodeState([]byte(data))
	return err == nil && got.Page == s.Page, err
}

func (t *table) close() error {
	if t.lock == nil {
		return nil
	}
	// The lock is the session's: the connection must not go back to the pool. It
	// is given up in words, too, so that the next process need not wait.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = t.lock.ExecContext(ctx, t.jobs.Unlock())
	_ = t.lock.Raw(func(any) error { return sqldriver.ErrBadConn })
	err := t.lock.Close()
	t.lock = nil
	if errors.Is(err, sql.ErrConnDone) {
		err = nil
	}
	return err
}
