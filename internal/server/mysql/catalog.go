package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

const relationSQL = `
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE LIKE '%VIEW', VERSION() LIKE '%MariaDB%',
  CASE WHEN TABLE_TYPE LIKE 'SYSTEM VERSIONED%' THEN 'system versioning'
       WHEN EXISTS (SELECT 1 FROM information_schema.TRIGGERS g WHERE g.EVENT_OBJECT_SCHEMA = t.TABLE_SCHEMA AND g.EVENT_OBJECT_TABLE = t.TABLE_NAME AND g.EVENT_MANIPULATION = 'UPDATE')
       THEN 'an UPDATE trigger' ELSE '' END,
  EXISTS (SELECT 1 FROM information_schema.TRIGGERS g WHERE g.EVENT_OBJECT_SCHEMA = t.TABLE_SCHEMA AND g.EVENT_OBJECT_TABLE = t.TABLE_NAME AND g.EVENT_MANIPULATION = 'INSERT'),
  CASE WHEN t.ENGINE IS NULL OR EXISTS (SELECT 1 FROM information_schema.ENGINES e WHERE e.ENGINE = t.ENGINE AND e.TRANSACTIONS = 'YES' AND e.SAVEPOINTS = 'YES')
       THEN '' ELSE CONCAT('the engine ', t.ENGINE, ' has no transactions') END,
  COALESCE((SELECT VIEW_DEFINITION FROM information_schema.VIEWS v WHERE v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME), '')
FROM information_schema.TABLES t
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`

// lastingSQL asks what an INSERT trigger may do that a rollback does not undo: set a
// variable, or write to a table whose engine has no transactions. Which tables a trigger
// writes, its text does not show: it may call a procedure, or fire another trigger.
const lastingSQL = `
SELECT CASE WHEN EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? AND EVENT_MANIPULATION = 'INSERT' AND INSTR(ACTION_STATEMENT, '@') > 0)
  THEN 'an INSERT trigger sets a variable'
  ELSE COALESCE((SELECT CONCAT('the table has an INSERT trigger, and the server a table without transactions, ', TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES
    WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')
    AND ENGINE NOT IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES' AND SAVEPOINTS = 'YES') LIMIT 1), '') END`

const columnsSQL = `
SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'NO', COLUMN_DEFAULT, COALESCE(EXTRA, ''), COALESCE(COLLATION_NAME, ''), COALESCE(GENERATION_EXPRESSION, '')
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
ORDER BY ORDINAL_POSITION`

const keysSQL = `
SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), SUB_PART IS NOT NULL, NON_UNIQUE = 0
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX`

func (Server) Relation(ctx context.Context, db *sql.DB, schema, name string) (*sqlplan.Relation, error) {
	r := &sqlplan.Relation{KeysKnown: true, Spelled: map[string]string{}}
	var maria bool
	err := db.QueryRowContext(ctx, relationSQL, schema, name).Scan(&r.Schema, &r.Name, &r.View, &maria, &r.Witness, &r.InsertTrigger, &r.Lasting, &r.Definition)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.InsertTrigger && r.Lasting == "" {
		if err := db.QueryRowContext(ctx, lastingSQL, r.Schema, r.Name).Scan(&r.Lasting); err != nil {
			return nil, err
		}
	}
	var hidden []int // columns whose default is not shown
	err = scan(ctx, db, columnsSQL, r, func(rows *sql.Rows) error {
		var c sqlplan.RelationColumn
		var extra, collation string
		var value sql.NullString
		if err := rows.Scan(&c.Name, &c.Type, &c.NotNull, &value, &extra, &collation, &c.Expression); err != nil {
			return err
		}
		describe(&c, strings.ToLower(extra), strings.ToLower(collation))
		expression := maria || strings.Contains(strings.ToLower(extra), "default_generated")
		if !maria {
			c.Expression = unescaped(c.Expression)
			if expression {
				if !value.Valid && !r.View {
					hidden = append(hidden, len(r.Columns))
				}
				value.String = readable(unescaped(value.String))
			}
		}
		c.Default = defaultSQL(c.Type, value, expression)
		r.Columns = append(r.Columns, c)
		return nil
	})
	if err == nil && len(hidden) > 0 {
		readHidden(ctx, db, r, hidden)
	}
	if err != nil {
		return nil, err
	}
	return r, scan(ctx, db, keysSQL, r, func(rows *sql.Rows) error {
		var index, column string
		var prefix, unique bool
		if err := rows.Scan(&index, &column, &prefix, &unique); err != nil {
			return err
		}
		if !unique {
			r.Indexes = append(r.Indexes, index)
			return nil
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

// SchemasOf implements [server.Server].
func (Server) SchemasOf(ctx context.Context, db *sql.DB, name string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT table_schema FROM information_schema.tables WHERE table_name = ? ORDER BY table_schema", name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var schemas []string
	for rows.Next() {
		var schema string
		if err := rows.Scan(&schema); err != nil {
			return nil, err
		}
		schemas = append(schemas, schema)
	}
	return schemas, rows.Err()
}

// describe reads what MySQL and MariaDB put into EXTRA and the collation. Any
// text compares inexactly: collations fold case or pad with spaces, and whatever the
// collation, a number that is compared with a text equals many texts.
func describe(c *sqlplan.RelationColumn, extra, collation string) {
	c.AutoIncrement = strings.Contains(extra, "auto_increment")
	c.Generated = strings.Contains(extra, "generated") && !strings.Contains(extra, "default_generated")
	c.OnUpdate = strings.Contains(extra, "on update")
	c.Invisible = strings.Contains(extra, "invisible")
	c.Full, c.Type = c.Type, strings.ToLower(c.Type)
	c.Inexact = collation != ""
	c.Folded = collation != "" && collation != "binary" && !strings.HasSuffix(collation, "_bin")
	c.Charset, _, _ = strings.Cut(collation, "_")
}

// unescaped is an expression of which MySQL shows quotes and backslashes with one more
// backslash before them. MariaDB shows expressions as they are.
func unescaped(shown string) string {
	var b strings.Builder
	for i := 0; i < len(shown); i++ {
		if shown[i] == '\\' && i+1 < len(shown) {
			i++
		}
		b.WriteByte(shown[i])
	}
	return b.String()
}

// readHidden reads the defaults of columns that ALTER TABLE gave them: MySQL may not show
// those in information_schema. A default that cannot be read is no NULL.
func readHidden(ctx context.Context, db *sql.DB, r *sqlplan.Relation, hidden []int) {
	var name, table string
	_ = db.QueryRowContext(ctx, "SHOW CREATE TABLE "+relationName(r.Schema, r.Name)).Scan(&name, &table) // unreadable, then
	for _, i := range hidden {
		_, text, _ := strings.Cut(table, "\n  "+identifier(r.Columns[i].Name)+" ")
		text, _, _ = strings.Cut(text, "\n")
		text, _, _ = strings.Cut(text, " COMMENT '")
		_, text, _ = strings.Cut(text, " DEFAULT (")
		r.Columns[i].Default = readable(`\`)
		if end := strings.LastIndexByte(text, ')'); end >= 0 {
			r.Columns[i].Default = readable(text[:end])
		}
	}
}

// readable is a default's expression if it means the same in every session, else one
// that names a column, which is not evaluated: what a backslash in a literal means depends
// on the sql_mode, and MySQL shows literals outside ASCII in another character set.
func readable(expression string) string {
	for i := range len(expression) {
		if expression[i] == '\\' || expression[i] >= 0x80 {
			return "`default`"
		}
	}
	return expression
}

// defaultSQL is a default as SQL text. MariaDB shows it so, NULL included. MySQL
// shows the value of a constant, that of a binary column in hexadecimal, and an
// expression where EXTRA says so.
func defaultSQL(columnType string, shown sql.NullString, expression bool) string {
	binary := strings.HasPrefix(columnType, "binary") || strings.HasPrefix(columnType, "varbinary")
	switch {
	case !shown.Valid, expression && strings.EqualFold(shown.String, "NULL"):
		return ""
	case expression, wholeNumber.MatchString(shown.String) && !textual.MatchString(columnType), binary && strings.HasPrefix(shown.String, "0x"):
		return shown.String
	case strings.Contains(shown.String, `\`): // how it is written depends on the sql_mode
		return fmt.Sprintf("CONVERT(x'%x' USING utf8mb4)", shown.String)
	}
	return "'" + strings.ReplaceAll(shown.String, "'", "''") + "'"
}

// textual matches the types of which 007 and 7 are two values.
var textual = regexp.MustCompile(`char|text|enum|set|binary|blob`)

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
