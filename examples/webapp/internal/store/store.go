// Package store keeps the site's accounts. It is ordinary database/sql: only
// the policy knows that the PIN is encrypted.
//
// A Store belongs to one Region. It reads from the Region's own database, which
// may be a replica, and says so when the database takes no writes.
package store

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql" // the dialects that driver.NewConnector recognises
	_ "github.com/sealsql/sealsql/driver/postgres"
)

var (
	// ErrTaken says that the account number or the user id has an account.
	ErrTaken = errors.New("account number or user id is taken")
	// ErrReadOnly says that the Region's database is a replica.
	ErrReadOnly = errors.New("this Region's database takes no writes")
	// ErrUnknown says that there is no such account.
	ErrUnknown = errors.New("no such account")
)

// Config describes a Region's database.
type Config struct {
	// Engine is "postgres" or "mysql".
	Engine string
	// Writer and Reader are base connectors. Reader may be nil: reads then go to
	// Writer. Writer may be nil: writes then go to Reader, once it is promoted.
	Writer, Reader sqldriver.Connector
	// Options are sealsql's: the policy, the AWS configuration, the alert sinks.
	Options []driver.Option
	// MaxConns bounds each pool; 0 means 16.
	MaxConns int
}

// Store is safe for concurrent use.
type Store struct {
	engine string
	write  *sql.DB // through sealsql
	read   *sql.DB // through sealsql; may be write
	bare   *sql.DB // the reader without sealsql, to show what is stored

	mu       sync.Mutex
	writable bool
	away     error
	asked    time.Time
}

// Open opens the database. It connects lazily, as database/sql does.
func Open(c Config) (*Store, error) {
	s := &Store{engine: c.Engine}
	var err error
	if c.Writer != nil {
		if s.write, err = sealed(c, c.Writer); err != nil {
			return nil, err
		}
		s.read = s.write
	}
	reader := c.Writer
	if c.Reader != nil {
		reader = c.Reader
		if s.read, err = sealed(c, reader); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if reader == nil {
		return nil, errors.New("a store needs a writer or a reader")
	}
	if s.write == nil {
		s.write = s.read
	}
	s.bare = sql.OpenDB(reader)
	s.bare.SetMaxOpenConns(4)
	return s, nil
}

func sealed(c Config, base sqldriver.Connector) (*sql.DB, error) {
	connector, err := driver.NewConnector(base, c.Options...)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	n := c.MaxConns
	if n == 0 {
		n = 16
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxLifetime(5 * time.Minute) // so that a failover's old endpoint is left behind
	return db, nil
}

// Close closes the pools and delivers the alerts that wait.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.write, s.bare} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// Stats returns sealsql's counters of the reads' pool, and those of the writes'
// pool if it is another.
func (s *Store) Stats() ([]alert.Snapshot, error) {
	read, err := driver.Stats(s.read)
	if err != nil || s.read == s.write {
		return []alert.Snapshot{read}, err
	}
	write, err := driver.Stats(s.write)
	return []alert.Snapshot{read, write}, err
}

// Ping asks the database that reads go to.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

// sql writes ? placeholders as the server wants them.
func (s *Store) sql(text string) string {
	if s.engine == "mysql" {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// Account is an account as the application sees it.
type Account struct{ Number, User, PIN string }

// Create stores an account. request names the visitor's form: the same form
// sent twice creates one account and succeeds twice.
func (s *Store) Create(ctx context.Context, a Account, request string) error {
	ok, err := s.Writable(ctx)
	if err != nil || !ok { // the replica may have been promoted since
		s.forget()
		if ok, err = s.Writable(ctx); err != nil {
			return err
		}
	}
	if !ok {
		return ErrReadOnly
	}
	_, err = s.write.ExecContext(ctx, s.sql("INSERT INTO accounts (account_number, user_id, pin, request_id) VALUES (?, ?, ?, ?)"), a.Number, a.User, a.PIN, request)
	switch {
	case readOnly(err):
		s.forget()
		return ErrReadOnly
	case !duplicate(err):
		return err
	}
	var n int
	err = s.write.QueryRowContext(ctx, s.sql("SELECT count(*) FROM accounts WHERE account_number = ? AND request_id = ?"), a.Number, request).Scan(&n)
	if err == nil && n == 0 {
		err = ErrTaken
	}
	return err
}

// PIN returns an account's PIN. sealsql has verified that the PIN was written
// for this account number.
func (s *Store) PIN(ctx context.Context, number string) (string, error) {
	var pin string
	err := s.read.QueryRowContext(ctx, s.sql("SELECT pin FROM accounts WHERE account_number = ?"), number).Scan(&pin)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrUnknown
	}
	return pin, err
}

// Stored is an account as the database holds it.
type Stored struct {
	Number, User string
	Created      time.Time
	PIN          []byte
}

// Stored lists the newest accounts without sealsql.
func (s *Store) Stored(ctx context.Context, limit int) ([]Stored, error) {
	rows, err := s.bare.QueryContext(ctx, s.sql("SELECT account_number, user_id, created_at, pin FROM accounts ORDER BY created_at DESC, account_number DESC LIMIT ?"), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var all []Stored
	for rows.Next() {
		var a Stored
		if err := rows.Scan(&a.Number, &a.User, &a.Created, &a.PIN); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// Writable reports whether the database takes writes now. The answer, or that
// there was none, is kept for a second.
func (s *Store) Writable(ctx context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < time.Second {
		return s.writable, s.away
	}
	text := "SELECT NOT pg_is_in_recovery()"
	if s.engine == "mysql" {
		text = "SELECT @@global.read_only = 0"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the answer is for others too
	defer cancel()
	s.away = s.write.QueryRowContext(ctx, text).Scan(&s.writable)
	s.asked = time.Now()
	return s.writable, s.away
}

func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = time.Time{}
}

func duplicate(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505" // unique_violation
	}
	my, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && my.Number == 1062 // ER_DUP_ENTRY
}

func readOnly(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "25006" // read_only_sql_transaction
	}
	my, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (my.Number == 1290 || my.Number == 1792 || my.Number == 1836) // read_only, READ ONLY transaction
}
