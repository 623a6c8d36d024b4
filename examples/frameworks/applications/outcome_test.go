package applications

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	sealsql "github.com/sealsql/sealsql/driver"
)

// outcome runs an operation and says what it did.
func outcome(ctx context.Context, o operation) string {
	v, err := o.do(ctx)
	text, marshalled := json.Marshal(v)
	if marshalled != nil {
		return "not comparable: " + marshalled.Error()
	}
	return strings.TrimSpace(string(text) + " " + class(err))
}

// document is JSON. sealsql shows it as it was written, where a server's JSON type spells it
// anew: documents are compared without blanks and with their keys sorted.
type document string

// Scan takes text.
func (d *document) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d = ""
	case []byte:
		*d = document(v)
	case string:
		*d = document(v)
	default:
		return fmt.Errorf("a document in a %T", v)
	}
	return nil
}

// Value is the text, or NULL without one.
func (d document) Value() (driver.Value, error) {
	if d == "" {
		return nil, nil
	}
	return string(d), nil
}

// MarshalJSON shows the document as a string.
func (d document) MarshalJSON() ([]byte, error) { return json.Marshal(canonical(string(d))) }

// canonical spells a text that is a JSON object or array in one way, and leaves others.
func canonical(text string) string {
	if text == "" || !strings.Contains("{[", text[:1]) {
		return text
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	spelt, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(spelt)
}

// class is what an application can tell of an error: the server's code and the constraint,
// or a sentinel.
func class(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, sealsql.ErrRefused) {
		return "refused: " + err.Error()
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Sprintf("SQLSTATE %s %s: %s", e.Code, e.ConstraintName, hintless(e.Message))
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		_, key, _ := strings.Cut(e.Message, " for key ")
		if e.Number != 1062 {
			key = database.ReplaceAllString(e.Message, "`database`")
		}
		return fmt.Sprintf("error %d (%s) %s", e.Number, e.SQLState, hintless(key))
	}
	return fmt.Sprintf("%T %s", err, err)
}

// database is a name that testdb makes.
var database = regexp.MustCompile("`t[0-9]+`")

// hintless is the server's message without what sealsql says of a term's unique key.
func hintless(message string) string {
	bare, _, _ := strings.Cut(message, "; protected column")
	return bare
}

// querier is a *sql.DB, a *sql.Tx or a framework's wrapper of one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rows reads all rows of a statement as the driver hands them out, types included.
func rows(ctx context.Context, q querier, text string, args ...any) ([][]string, error) {
	r, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return cells(r)
}

// cells reads all rows, and closes them.
func cells(r *sql.Rows) (_ [][]string, err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	all := [][]string{columns}
	for r.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := r.Scan(cells...); err != nil {
			return nil, err
		}
		line := make([]string, len(columns))
		for i, c := range cells {
			v := *c.(*any)
			line[i] = fmt.Sprintf("%T %v", v, v)
			switch v := v.(type) {
			case []byte:
				line[i] = fmt.Sprintf("[]byte %q", canonical(string(v)))
			case string:
				line[i] = "string " + canonical(v)
			}
		}
		all = append(all, line)
	}
	return all, r.Err()
}
