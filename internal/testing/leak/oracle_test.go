package leak

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// outcome is what a script did.
type outcome struct {
	rows  []string
	err   error
	state []cell
}

// code is the server's code of an error.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*gomysql.MySQLError](err); ok {
		return strconv.Itoa(int(e.Number))
	}
	if err != nil {
		return "?"
	}
	return ""
}

// plain are the verbs after which a connection is as it was.
var plain = regexp.MustCompile(`(?i)^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|MERGE|WITH|VALUES|TABLE|EXPLAIN)\b[^;]*$`)

var (
	// defines finds texts that may change the schema.
	defines = regexp.MustCompile(`(?i)\b(CREATE|ALTER|DROP|RENAME|TRUNCATE)\b`)
	// selectsInto finds queries that make a table.
	selectsInto = regexp.MustCompile(`(?is)^\s*(SELECT|TABLE|WITH)\b.*\bINTO\b`)
	writesInto  = regexp.MustCompile(`(?i)\b(INSERT|MERGE|REPLACE|IGNORE)\s+INTO\b`)
)

// keeps reports whether the connection is as it was after the script.
func (s *script) keeps() bool { return len(s.first) == 0 && plain.MatchString(s.text) }

// shaping reports whether the script may change the schema.
func (s *script) shaping() bool {
	return !plain.MatchString(s.text) || selectsInto.MatchString(s.text) && !writesInto.MatchString(s.text) || slices.ContainsFunc(s.first, defines.MatchString)
}

// send sends the script's text on a connection and reads its result.
func (s *script) send(ctx context.Context, c *sql.Conn) (rows []string, err error) {
	if s.exec {
		_, err := c.ExecContext(ctx, s.text, s.args...)
		return nil, err
	}
	var result *sql.Rows
	if s.prepared {
		stmt, err := c.PrepareContext(ctx, s.text)
		if err != nil {
			return nil, err
		}
		defer stmt.Close()
		result, err = stmt.QueryContext(ctx, s.args...)
		if err != nil {
			return nil, err
		}
	} else if result, err = c.QueryContext(ctx, s.text, s.args...); err != nil {
		return nil, err
	}
	defer result.Close()
	for more := true; more; more = result.NextResultSet() {
		names, err := result.Columns()
		if err != nil {
			return rows, err
		}
		for result.Next() && len(rows) < 500 {
			cells := make([]any, len(names))
			for i := range cells {
				cells[i] = new(any)
			}
			if err := result.Scan(cells...); err != nil {
				return rows, err
			}
			for i := range cells {
				v := *cells[i].(*any)
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				cells[i] = fmt.Sprint(v)
			}
			rows = append(rows, fmt.Sprintf("%q", cells))
		}
	}
	return rows, result.Err()
}

func isOther(text string) bool { return strings.HasPrefix(text, "other:") }

// prelude sends what comes before the text and returns what was carried out, for the
// twin. What another connection sends, it sends to every database given.
func (s *script) prelude(ctx context.Context, c *sql.Conn, others ...*database) (done []string) {
	for _, text := range s.first {
		if rest, ok := strings.CutPrefix(text, "other:"); ok {
			for _, d := range others {
				_, _ = d.admin.ExecContext(ctx, d.types.Replace(rest)) // some products lack it
			}
			continue
		}
		rows, err := c.QueryContext(ctx, text)
		if err != nil {
			continue
		}
		for rows.Next() {
		}
		if errors.Join(rows.Err(), rows.Close()) == nil {
			done = append(done, text)
		}
	}
	return done
}

// conn is a connection of a pool, or a failure of the test.
func (d *database) conn(ctx context.Context, param string) (*sql.Conn, error) {
	return d.pool(param).Conn(ctx)
}

// onTwin runs the script on the twin, in a transaction that is rolled back, after the
// protected columns were given a value, if it is not empty.
func (d *database) onTwin(s *script, value string) (o outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	c, err := d.conn(ctx, s.param)
	if err != nil {
		return outcome{err: err}
	}
	defer func() {
		_, err := c.ExecContext(ctx, "ROLLBACK")
		if err != nil || !s.keeps() {
			forGood(c)
		} else {
			_ = c.Close()
		}
		if s.shaping() {
			d.tidy(true)
		}
	}()
	s.prelude(ctx, c)
	for _, text := range d.holding(value) {
		// In a session of another character set a table may have no name.
		if _, err := c.ExecContext(ctx, text); err != nil && len(s.first) == 0 {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
	_, _ = c.ExecContext(ctx, "SAVEPOINT sent") // a prelude may have begun a transaction that failed
	if o.rows, o.err = s.send(ctx, c); o.err != nil {
		_, _ = c.ExecContext(ctx, "ROLLBACK TO SAVEPOINT sent")
	}
	o.state, err = d.state(c)
	if err != nil && o.err == nil && !s.shaping() {
		o.err = err
	}
	return o
}

// holding are the statements that begin a transaction in which every protected column
// of the twin holds a value.
func (d *database) holding(value string) []string {
	texts := []string{"BEGIN"}
	if value == "" {
		return texts
	}
	for _, t := range d.tables {
		var set []string
		for i, c := range t.columns {
			if !t.protected[i] {
				continue
			}
			quoted := `"` + c + `"`
			if d.mysql() {
				quoted = "`" + c + "`"
			}
			if !t.called("typed") || slices.Contains([]string{"s", "i", "f", "n"}, c) {
				set = append(set, quoted+" = '"+value+"'")
			}
		}
		if len(set) == 0 {
			continue
		}
		text := "UPDATE " + t.name + " SET " + strings.Join(set, ", ")
		if t.called("tokens") {
			text += " WHERE used = 1" // its key is protected; the seed has one such row
		}
		texts = append(texts, text)
	}
	return texts
}

// called reports whether the table has a name, in whatever schema.
func (t *table) called(name string) bool {
	return strings.HasSuffix(t.name, "."+name) || strings.HasSuffix(t.name, ".`"+name+"`")
}

// with is the script with another text in the place of a marker.
func (s *script) with(marker, other string) *script {
	made := *s
	made.text = strings.ReplaceAll(s.text, marker, other)
	made.args = slices.Clone(s.args)
	for i, a := range made.args {
		switch a := a.(type) {
		case string:
			made.args[i] = strings.ReplaceAll(a, marker, other)
		case int64:
			if strconv.FormatInt(a, 10) == marker {
				made.args[i], _ = strconv.ParseInt(other, 10, 64)
			}
		}
	}
	return &made
}

// shared reports whether a marker is the argument of a parameter that is compared with
// members.nick, which is not protected, by itself or within a pattern: its user sends it,
// whatever else it is compared with. Literals beside it count as short.
func (s *script) shared(marker string) bool {
	text := literal.ReplaceAllString(s.text, "''")
	for i, a := range s.args {
		if fmt.Sprint(a) == marker && regexp.MustCompile(fmt.Sprintf(`(?i)\bnick\b[^;]{0,24}\$%d\b`, i+1)).MatchString(text) {
			return true
		}
	}
	return false
}

var literal = regexp.MustCompile(`'[^']*'`)

// relation decides, by running the script on the twin, whether its result depends on
// whether the protected columns hold the marker: it differs if another value takes the
// marker's place while they hold the marker, and does not while they hold something
// else. Names of the values aside.
func (d *database) relation(s *script, marker string) bool {
	rest := marker[2:]
	above, below, unrelated := "98"+rest, "96"+rest, "95"+rest
	same := strings.NewReplacer(marker, "#", above, "#", below, "#", unrelated, "#")
	result := func(literal, held string) string {
		o := d.onTwin(s.with(marker, literal), held)
		rows := slices.Sorted(slices.Values(o.rows))
		return same.Replace(code(o.err) + "\n" + strings.Join(rows, "\n") + "\n" + d.text(o.state, nil))
	}
	equal := result(marker, marker)
	if result(above, marker) == equal && result(below, marker) == equal {
		return false
	}
	apart := result(marker, unrelated)
	return result(above, unrelated) == apart && result(below, unrelated) == apart
}

// Errors of the servers after which a text meant nothing: a syntax error, an unknown
// table or schema, a limit of time.
var meaningless = []string{"42601", "42P01", "3F000", "57014", "1064", "1146", "1046", "1049", "3024", "1969", "?"}

// noColumn are the servers' codes for an unknown column.
var noColumn = []string{"42703", "1054"}

// corrected is the script with names spelt as they were meant, or nil if it misspells none.
func (s *script) corrected() *script {
	made := *s
	made.text = spelling.Replace(s.text)
	if made.text == s.text {
		return nil
	}
	return &made
}

var spelling = strings.NewReplacer("snn", "ssn", "ssm", "ssn", "sssn", "ssn", "notte", "note", "secrett", "secret", "balanc ", "balance ")

// logged lists the markers in a statement log, in any spelling.
func logged(log []byte, markers []string) (found []string) {
	for _, m := range markers {
		h := hex.EncodeToString([]byte(m))
		if !slices.Contains(found, m) && (bytes.Contains(log, []byte(m)) || bytes.Contains(log, []byte(h)) || bytes.Contains(log, []byte(strings.ToUpper(h)))) {
			found = append(found, m)
		}
	}
	return found
}

// ciphertext finds a message of sealsql: as bytes, in hexadecimal, in base64.
var ciphertext = regexp.MustCompile("^\x02\x04\x78|\\\\x020478|AgR4[A-Za-z0-9+/]{40}|\\\\x02\\\\x04x")

func isSealed(c cell) bool { return ciphertext.MatchString(c.text) }

// explains finds texts whose result shows the text that the server was sent.
var explains = regexp.MustCompile(`(?i)\b(EXPLAIN|ANALYZE|DESC|DESCRIBE|PROCESSLIST)\b`)

// leastTerm is the length of the terms that are looked for; shorter ones come by chance.
const leastTerm = 16

// spellings lists the equality terms of a state in the ways that a result or a column may
// show them.
func spellings(state []cell) (list []string) {
	for _, c := range state {
		if !c.term || c.null {
			continue
		}
		raw := c.text
		if digits, is := strings.CutPrefix(raw, `\x`); is {
			raw = unhex(digits)
		} else if decoded, err := base64.StdEncoding.DecodeString(raw); err == nil && len(decoded) >= leastTerm {
			raw = string(decoded)
		}
		if len(raw) < leastTerm {
			continue
		}
		digits, shown := hex.EncodeToString([]byte(raw)), strconv.Quote(raw)
		list = append(list, digits, strings.ToUpper(digits), raw, shown[1:len(shown)-1], base64.StdEncoding.EncodeToString([]byte(raw)))
	}
	return list
}

// holdsOne reports whether a text holds one of a list.
func holdsOne(text string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(text, s) })
}

// misplaced says what is wrong with the tables after a statement that was carried out.
func misplaced(sealed, twin []cell, markers []string, compare bool) string {
	terms := spellings(sealed)
	for _, c := range sealed {
		switch {
		case c.protected && !c.null && !isSealed(c):
			return "protected column " + c.column + " holds clear text: " + c.text
		case !c.protected && isSealed(c):
			return "column " + c.column + " holds a ciphertext"
		case !c.protected && !c.term && holdsOne(c.text, terms):
			return "column " + c.column + " holds an equality term"
		}
	}
	if !compare {
		return ""
	}
	for _, m := range markers {
		got, want := columnsWith(sealed, m), columnsWith(twin, m)
		if !slices.Equal(got, want) {
			return fmt.Sprintf("marker %s lies in %q, on the twin in %q", m, got, want)
		}
	}
	return ""
}

// columnsWith lists the unprotected columns that hold a marker.
func columnsWith(state []cell, marker string) (list []string) {
	for _, c := range state {
		column := c.column[strings.LastIndex(c.column[:strings.LastIndex(c.column, ".")], ".")+1:] // the databases' names differ
		if !c.protected && strings.Contains(c.text, marker) && !slices.Contains(list, column) {
			list = append(list, column)
		}
	}
	slices.Sort(list)
	return list
}

func isRefused(err error) bool {
	return errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrValue)
}

func unhex(text string) string { b, _ := hex.DecodeString(text); return string(b) }

// Kinds of columns that a policy names.
const (
	isProtected = "protected"
	isTerm      = "term"
)

var policyColumns sync.Map

// policyNames are the columns that the policy names and their kinds, by
// schema.table.column in lower case, with an empty schema where it names none.
func policyNames(t testing.TB) map[string]string {
	t.Helper()
	names, ok := policyColumns.Load("all")
	if !ok {
		t.Fatal("the policy is not read yet")
	}
	return names.(map[string]string)
}

func notePolicy(p *policy.Policy) {
	names := map[string]string{}
	for _, t := range p.Tables() {
		table := strings.ToLower(t.Schema + "." + t.Name + ".")
		for _, c := range t.Columns {
			names[table+strings.ToLower(c.Name)] = isProtected
			if c.Equality == nil {
				continue
			}
			for _, k := range c.Equality.Keys {
				names[table+strings.ToLower(k.Column)] = isTerm
			}
		}
	}
	policyColumns.Store("all", names)
}
