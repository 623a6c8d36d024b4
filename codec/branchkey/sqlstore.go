package branchkey

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DefaultTable is the name of the table that a [SQLStore] uses, and the
// logical name of the stores of this package.
const DefaultTable = "sealsql_branch_keys"

// SQL is how a server spells the statements of a [SQLStore]. Packages driver/postgres
// and driver/mysql return the servers' own from BranchKeySQL.
type SQL struct {
	// DDL is the statement that makes the table [DefaultTable].
	DDL string
	// Placeholder writes the n-th argument, from 1.
	Placeholder func(n int) string
	// TextAsBytes is true if texts are sent as []byte, since the columns are binary.
	TextAsBytes bool
}

// SQLStore is a [Store] in a table of a database, see [SQL]. Its statements
// run on connections of the sql.DB that it is given, each change in a transaction
// of its own.
type SQLStore struct {
	db    *sql.DB
	table string
	sql   SQL
}

var _ ItemsStore = (*SQLStore)(nil)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// NewSQLStore returns the store in a table, or schema.table; an empty name
// means [DefaultTable]. db must not be a database of sealsql, and must not
// share a pool with transactions that wait for keys.
func NewSQLStore(db *sql.DB, spelling SQL, table string) (*SQLStore, error) {
	if table == "" {
		table = DefaultTable
	}
	switch {
	case db == nil:
		return nil, errors.New("branchkey: a SQL store needs a sql.DB")
	case spelling.Placeholder == nil:
		return nil, errors.New("branchkey: a SQL store needs the server's SQL; take it from BranchKeySQL of driver/postgres or driver/mysql")
	case !tableName.MatchString(table):
		return nil, fmt.Errorf("branchkey: %q is no plain name of a table; write table or schema.table", table)
	}
	return &SQLStore{db: db, table: table, sql: spelling}, nil
}

// Name implements [Store]. It is [DefaultTable] whatever the table's name, so
// that items can be moved between tables, databases and files.
func (s *SQLStore) Name() string { return DefaultTable }

// text fills in the table, and writes ? as the server wants it.
func (s *SQLStore) text(query string) string {
	query = strings.ReplaceAll(query, "TABLE", s.table)
	parts := strings.Split(query, "?")
	for n := 1; n < len(parts); n++ {
		parts[n] = s.sql.Placeholder(n) + parts[n]
	}
	return strings.Join(parts, "")
}

const columns = "branch_key_id, type, version, enc, kms_arn, create_time, hierarchy_version, context"

// Items implements [Store].
func (s *SQLStore) Items(ctx context.Context, id, typ string) ([]Item, error) {
	// An item's further wrappings sort between type@ and typeA.
	rows, err := s.db.QueryContext(ctx, s.text("SELECT "+columns+" FROM TABLE WHERE branch_key_id = ? AND type >= ? AND type < ? ORDER BY type"),
		s.arg(id), s.arg(typ), s.arg(typ+string(wrappingMark[0]+1)))
	if err != nil {
		return nil, s.explain(err)
	}
	return covered(s.scan(rows), id, typ)
}

// arg is a text parameter.
func (s *SQLStore) arg(text string) any {
	if s.sql.TextAsBytes {
		return []byte(text)
	}
	return text
}

func (s *SQLStore) explain(err error) error {
	return fmt.Errorf("table %s (its DDL is in docs/OPERATIONS.md): %w", s.table, err)
}

// scan yields the rows' items and closes the rows.
func (s *SQLStore) scan(rows *sql.Rows) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		defer rows.Close()
		for rows.Next() {
			var i Item
			var hierarchy int
			var custom []byte
			err := rows.Scan(&i.BranchKeyID, &i.Type, &i.Version, &i.Wrapped, &i.KeyARN, &i.CreateTime, &hierarchy, &custom)
			if err == nil && strconv.Itoa(hierarchy) != hierarchyVersion {
				err = fmt.Errorf("a branch key of hierarchy version %d is not supported", hierarchy)
			}
			if err == nil && len(bytes.TrimSpace(custom)) > 0 {
				err = json.Unmarshal(custom, &i.Context)
			}
			if err != nil {
				yield(Item{}, s.explain(err))
				return
			}
			if !yield(i, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Item{}, s.explain(err))
		}
	}
}

// All implements [Store].
func (s *SQLStore) All(ctx context.Context) iter.Seq2[Item, error] {
	return s.query(ctx, "SELECT "+columns+" FROM TABLE ORDER BY branch_key_id, type")
}

// AllOf implements [ItemsStore].
func (s *SQLStore) AllOf(ctx context.Context, id string) iter.Seq2[Item, error] {
	return s.query(ctx, "SELECT "+columns+" FROM TABLE WHERE branch_key_id = ? ORDER BY type", s.arg(id))
}

func (s *SQLStore) query(ctx context.Context, text string, args ...any) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		rows, err := s.db.QueryContext(ctx, s.text(text), args...)
		if err != nil {
			yield(Item{}, s.explain(err))
			return
		}
		s.scan(rows)(yield)
	}
}

// change runs f in a transaction.
func (s *SQLStore) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // err says what went wrong
		return err
	}
	if err := tx.Commit(); err != nil {
		return s.explain(err)
	}
	return nil
}

func (s *SQLStore) insert(ctx context.Context, tx *sql.Tx, items []Item) error {
	for _, i := range items {
		custom, err := customContext(i)
		if err == nil {
			_, err = tx.ExecContext(ctx, s.text("INSERT INTO TABLE ("+columns+") VALUES (?, ?, ?, ?, ?, ?, 1, ?)"),
				s.arg(i.BranchKeyID), s.arg(i.Type), s.arg(i.Version), i.Wrapped, s.arg(i.KeyARN), s.arg(i.CreateTime), s.arg(custom))
		}
		if err != nil {
			return s.explain(err)
		}
	}
	return nil
}

func customContext(i Item) (string, error) {
	if len(i.Context) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(i.Context)
	return string(b), err
}

// Create implements [Store].
func (s *SQLStore) Create(ctx context.Context, items []Item) error {
	id := items[0].BranchKeyID
	err := s.change(ctx, func(tx *sql.Tx) error { return s.insert(ctx, tx, items) })
	if err == nil {
		return nil
	}
	// Which error says that a key stands there twice, only the drivers know.
	var n int
	if e := s.db.QueryRowContext(ctx, s.text("SELECT count(*) FROM TABLE WHERE branch_key_id = ?"), s.arg(id)).Scan(&n); e == nil && n > 0 {
		return ErrExists
	}
	return err
}

// Rotate implements [Store].
func (s *SQLStore) Rotate(ctx context.Context, items []Item, old []byte) error {
	id := items[0].BranchKeyID
	active, err := pick(items, id, typeActive)
	if err != nil {
		return err
	}
	custom, err := customContext(active)
	if err != nil {
		return err
	}
	added := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return i.Type == typeActive })
	return s.change(ctx, func(tx *sql.Tx) error {
		// The row's lock makes another rotator wait, and then find enc changed.
		res, err := tx.ExecContext(ctx, s.text("UPDATE TABLE SET version = ?, enc = ?, kms_arn = ?, create_time = ?, context = ? WHERE branch_key_id = ? AND type = ? AND enc = ?"),
			s.arg(active.Version), active.Wrapped, s.arg(active.KeyARN), s.arg(active.CreateTime), s.arg(custom), s.arg(id), s.arg(typeActive), old)
		if err != nil {
			return s.explain(err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(ErrConflict, err)
		}
		_, err = tx.ExecContext(ctx, s.text("DELETE FROM TABLE WHERE branch_key_id = ? AND type > ? AND type < ?"),
			s.arg(id), s.arg(typeActive), s.arg(typeActive+string(wrappingMark[0]+1)))
		if err != nil {
			return s.explain(err)
		}
		return s.insert(ctx, tx, added)
	})
}

// Delete implements [Store].
func (s *SQLStore) Delete(ctx context.Context, id string) error {
	res, err := s.db.ExecContext(ctx, s.text("DELETE FROM TABLE WHERE branch_key_id = ?"), s.arg(id))
	if err != nil {
		return s.explain(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}
