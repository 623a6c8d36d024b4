package postgres

import (
	sqldriver "database/sql/driver"
	"reflect"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// preparedField is the index of the field in which a pgx.Conn holds the statements that
// were prepared on it, by their names; -1 for a pgx that holds them elsewhere.
var preparedField = sync.OnceValue(func() int {
	f, ok := reflect.TypeFor[pgx.Conn]().FieldByName("preparedStatements")
	if !ok || len(f.Index) != 1 || f.Type != reflect.TypeFor[map[string]*pgconn.StatementDescription]() {
		return -1
	}
	return f.Index[0]
})

// Held returns the text of a statement that pgx holds under a name. sure is false if that
// cannot be known.
func Held(c *pgx.Conn, name string) (text string, held, sure bool) {
	at := preparedField()
	if at < 0 {
		return "", false, false
	}
	list := reflect.ValueOf(c).Elem().Field(at)
	if list.Len() == 0 {
		return "", false, true
	}
	sd := list.MapIndex(reflect.ValueOf(name))
	if !sd.IsValid() || sd.IsNil() {
		return "", false, true
	}
	return sd.Elem().FieldByName("SQL").String(), true, true
}

// standsFor returns the statement that a text is: pgx takes the name of a statement in the
// place of a text, and code past sealsql, such as a hook, may have prepared one.
func standsFor(base sqldriver.Conn, text string) string {
	c := pgxConn(base)
	if c == nil || text == "" {
		return text
	}
	switch held, found, sure := Held(c, text); {
	case !sure:
		return text + " " // pgx finds no statement of this name
	case found:
		return held
	}
	return text
}
