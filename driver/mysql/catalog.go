package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Session reads the settings of a connection like those that statements use:
// the catalog's connections are made by the same base connector. It fails where
// arguments change on their way into a column: a ciphertext would be lost.
func (dialect) Session(ctx context.Context, db *sql.DB) (driver.Session, error) {
	s := driver.Session{Location: time.UTC}
	var version string
	var converts bool
	err := db.QueryRowContext(ctx, "SELECT @@SESSION.sql_mode, @@SESSION.auto_increment_increment, @@lower_case_table_names <> 0, VERSION(), COALESCE(DATABASE(), ''), "+
		"@@SESSION.character_set_connection NOT IN (@@SESSION.character_set_client, 'binary') AND @@SESSION.character_set_client <> 'binary'").
		Scan(&s.SQLMode, &s.AutoIncrementIncrement, &s.FoldTableNames, &version, &s.Path, &converts)
	if err != nil {
		return s, fmt.Errorf("%w: reading the session's settings: %w", driver.ErrCatalog, err)
	}
	if converts {
		return s, errors.New("sealsql: the session's character_set_connection is not its character_set_client: the server would convert ciphertexts as if they were text; use SET NAMES, which sets both")
	}
	s.MariaDB = strings.Contains(strings.ToLower(version), "mariadb")
	return s, nil
}

const relationSQL = `
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE LIKE '%VIEW', VERSION() LIKE '%MariaDB%'
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`

const columnsSQL = `
SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'NO', COLUMN_DEFAULT, COALESCE(EXTRA, ''), COALESCE(COLLATION_NAME, ''), COALESCE(GENERATION_EXPRESSION, '')
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
ORDER BY ORDINAL_POSITION`

const keysSQL = `
SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), SUB_PART IS NOT NULL
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0
ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX`

func (dialect) Relation(ctx context.Context, db *sql.DB, schema, name string) (*sqlplan.Relation, error) {
	r := &sqlplan.Relation{}
	var maria bool
	err := db.QueryRowContext(ctx, relationSQL, schema, name).Scan(&r.Schema, &r.Name, &r.View, &maria)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = scan(ctx, db, columnsSQL, r, func(rows *sql.Rows) error {
		var c sqlplan.RelationColumn
		var extra, collation string
		var value sql.NullString
		if err := rows.Scan(&c.Name, &c.Type, &c.NotNull, &value, &extra, &collation, &c.Expression); err != nil {
			return err
		}
		describe(&c, strings.ToLower(extra), strings.ToLower(collation))
		c.Default = defaultSQL(value, maria || strings.Contains(strings.ToLower(extra), "default_generated"))
		r.Columns = append(r.Columns, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, scan(ctx, db, keysSQL, r, func(rows *sql.Rows) error {
		var index, column string
		var prefix bool
		if err := rows.Scan(&index, &column, &prefix); err != nil {
			return err
		}
		n := len(r.UniqueKeys)
		if n == 0 || r.UniqueKeys[n-1].Name != index {
			r.UniqueKeys = append(r.UniqueKeys, sqlplan.UniqueKey{Name: index, Primary: index == "PRIMARY"})
			n++
		}
		k := &r.UniqueKeys[n-1]
		// A key on a prefix makes more rows conflict than its columns do: it
		// counts as an expression.
		if prefix {
			column = ""
		}
		k.Columns = append(k.Columns, column)
		return nil
	})
}

// describe reads what MySQL and MariaDB put into EXTRA and the collation. Any
// text compares inexactly: collations fold case or pad with spaces, and whatever the
// collation, a number that is compared with a text equals many texts.
func describe(c *sqlplan.RelationColumn, extra, collation string) {
	c.AutoIncrement = strings.Contains(extra, "auto_increment")
	c.Generated = strings.Contains(extra, "generated") && !strings.Contains(extra, "default_generated")
	c.Invisible = strings.Contains(extra, "invisible")
	c.Full, c.Type = c.Type, strings.ToLower(c.Type)
	c.Inexact = collation != ""
	c.Charset, _, _ = strings.Cut(collation, "_")
}

// defaultSQL is a default as SQL text. MariaDB shows it so, NULL included; MySQL
// shows the value of a constant, and an expression where EXTRA says so.
func defaultSQL(shown sql.NullString, expression bool) string {
	switch {
	case !shown.Valid, expression && strings.EqualFold(shown.String, "NULL"):
		return ""
	case expression || wholeNumber.MatchString(shown.String):
		return shown.String
	}
	return "'" + strings.ReplaceAll(strings.ReplaceAll(shown.String, `\\`, `\\\\`), "'", "''") + "'"
}

var wholeNumber = regexp.MustCompile(`^[0-9]+$`)

func scan(ctx context.Context, db *sql.DB, text string, r *sqlplan.Relation, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, text, r.Schema, r.Name)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Readers lists every view whose definition names a protected table and one of
// its protected columns: neither server says which columns a view reads. A view on
// a view is followed by name.
func (dialect) Readers(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) ([]*sqlplan.Relation, error) {
	rows, err := db.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(VIEW_DEFINITION, '') FROM information_schema.VIEWS
WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var views []view
	for rows.Next() {
		var v view
		if err := rows.Scan(&v.schema, &v.name, &v.definition); err != nil {
			return nil, err
		}
		v.definition = strings.ToLower(v.definition)
		views = append(views, v)
	}
	return tainted(views, rules), rows.Err()
}

type view struct{ schema, name, definition string }

// tainted follows names until no view is added. The servers store definitions
// with every name between backticks, and every column that is read by name: * is
// written out, NATURAL and USING as ON.
func tainted(views []view, rules *sqlplan.Rules) []*sqlplan.Relation {
	type object struct {
		table   string
		columns []string // one of them must be named too; nil for any
	}
	objects := map[string]object{} // by name between backticks
	for _, t := range rules.Tables {
		o := object{table: t.Name, columns: objects[quoted(t.Name)].columns}
		for _, c := range t.Columns {
			o.columns = append(o.columns, quoted(c.Name))
		}
		objects[quoted(t.Name)] = o
	}
	found := map[int]*sqlplan.Relation{}
	for grew := true; grew; {
		grew = false
		for i, v := range views {
			if found[i] != nil {
				continue
			}
			for name, o := range objects {
				named := func(c string) bool { return strings.Contains(v.definition, c) }
				// A definition that the user may not see could read anything.
				if v.definition == "" || named(name) && (o.columns == nil || slices.ContainsFunc(o.columns, named)) {
					found[i] = &sqlplan.Relation{Schema: v.schema, Name: v.name, View: true, ReadsProtected: o.table}
					break
				}
			}
			if found[i] != nil {
				objects[quoted(v.name)] = object{table: found[i].ReadsProtected}
				grew = true
			}
		}
	}
	out := make([]*sqlplan.Relation, 0, len(found))
	for i := range views {
		if found[i] != nil {
			out = append(out, found[i])
		}
	}
	return out
}

func quoted(name string) string {
	return "`" + strings.ReplaceAll(strings.ToLower(name), "`", "``") + "`"
}

// KeyType reads the type as information_schema's COLUMN_TYPE gives it.
func (dialect) KeyType(c sqlplan.RelationColumn) driver.KeyType {
	name, _, _ := strings.Cut(c.Type, "(")
	name, _, _ = strings.Cut(name, " ")
	switch name {
	case "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		return driver.KeyText
	case "char":
		return driver.KeyPaddedText
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year":
		return driver.KeyInteger
	case "bool", "boolean":
		return driver.KeyInteger
	case "decimal", "numeric":
		return driver.KeyNumeric
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return driver.KeyBytes
	case "datetime":
		return driver.KeyTimestamp
	case "date":
		return driver.KeyDate
	case "uuid":
		return driver.KeyUUID
	}
	return driver.KeyUnsupported
}
