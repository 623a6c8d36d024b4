package integration

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

var (
	fuzzValuesTime   = flag.Duration("fuzzvalues.time", 0, "how long random values are written and read, on each server")
	fuzzValuesSeed   = flag.Uint64("fuzzvalues.seed", 1, "the first round's seed")
	fuzzValuesStrict = flag.Bool("fuzzvalues.strict", false, "compare types too")
	fuzzValuesOne    = flag.Bool("fuzzvalues.one", false, "run one seed only, and print its statements")
)

// TestFuzzValues writes and reads random values under random settings of the driver
// and of the session, the readers' independent of the writers', beside a bare twin: no
// value is lost, no honest row is accused, and nothing differs.
func TestFuzzValues(t *testing.T) {
	if *fuzzValuesTime == 0 {
		t.Skip("make fuzz-values runs it")
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			f := newValuesFuzz(t, server)
			until := time.Now().Add(*fuzzValuesTime)
			seed := *fuzzValuesSeed
			for ; time.Now().Before(until) && f.failed < 20; seed++ {
				f.round(seed)
				if *fuzzValuesOne {
					break
				}
			}
			t.Logf("seeds %d to %d: %d statements compared, %d refused, %d failed on both, %d searched, %d rounds of statements at the same time", *fuzzValuesSeed, seed-1, f.compared, f.refused, f.failedBoth, f.searched, f.contendedRounds)
			if f.compared < 10 || f.refused > f.compared {
				t.Errorf("%d statements were compared and %d refused: too little was compared", f.compared, f.refused)
			}
		})
	}
}

// valuesFuzz is two databases of a server, of which sealsql protects the first.
type valuesFuzz struct {
	*testing.T
	server     *testdb.Server
	names      [2]string
	admin      [2]*sql.DB
	arn        string
	refused    int
	compared   int
	failedBoth int
	failed     int
	searched   int
	// contendedRounds counts the rounds that ended with statements from all connections.
	contendedRounds int
	refusedTexts    map[string]bool
}

func newValuesFuzz(t *testing.T, server *testdb.Server) *valuesFuzz {
	f := &valuesFuzz{T: t, server: server, refusedTexts: map[string]bool{}}
	for i := range f.names {
		f.names[i] = server.NewDatabase(t)
		f.admin[i] = server.Open(t, f.names[i])
		if server.Name == "postgres" {
			if _, err := f.admin[i].Exec("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, f.arn = kms()
	t.Setenv("SEALSQL_TEST_KEY", f.arn)
	t.Setenv("SEALSQL_FUZZ_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	return f
}

// valuesRound is one table, the connections that use it, and what is done to it.
type valuesRound struct {
	*valuesFuzz
	*rand.Rand
	seed     uint64
	key      fuzzType
	value    fuzzType
	base64   bool
	tenant   bool
	search   fuzzSearch
	settings []string
	session  []string // what each connection sends first, empty for nothing
	// converts is true if a session is in another character set than UTF-8: what the bare
	// driver stores and shows is then the server's conversion, and a sealed text is the text
	// that was given.
	converts bool
	sealed   []*sql.DB
	bare     []*sql.DB
	events   eventLog
	log      []string
	keys     []fuzzValue
}

func (f *valuesFuzz) round(seed uint64) {
	r := &valuesRound{valuesFuzz: f, Rand: rand.New(rand.NewPCG(seed, 15)), seed: seed}
	before := f.failed
	r.create()
	defer r.close()
	for range 12 {
		r.step()
		if f.failed > before {
			f.Logf("seed %d: key %s, value %s\n  %s", seed, r.key.ddl, r.value.policy, strings.Join(r.log, "\n  "))
			return
		}
	}
	r.together()
	if *fuzzValuesOne {
		f.Logf("seed %d: key %s, value %s\n  %s", seed, r.key.ddl, r.value.policy, strings.Join(r.log, "\n  "))
	}
}

func (r *valuesRound) errorf(format string, args ...any) {
	r.failed++
	r.Errorf("seed %d: "+format, append([]any{r.seed}, args...)...)
}

// create makes the table, protected and bare, and opens two writers and two readers.
func (r *valuesRound) create() {
	all := fuzzKeyTypes(r.server)
	r.key = all[r.IntN(len(all))]
	values := fuzzValueTypes(r.server)
	r.value = values[r.IntN(len(values))]
	given := r.value.value
	r.value.value = func(random *rand.Rand) fuzzValue {
		v := given(random)
		for r.converts && strings.Contains(v.literal, "é") {
			v = given(random)
		}
		return v
	}
	r.base64, r.tenant = r.IntN(4) == 0, r.IntN(3) == 0
	r.search = newFuzzSearch(r)
	stored := "bytea"
	if r.server.Name == "mysql" {
		stored = "longblob"
	}
	storage := "binary"
	if r.base64 {
		stored, storage = "text", "base64"
	}
	for i, column := range []string{stored + r.search.ddl(r), r.value.ddl} {
		for _, text := range []string{"DROP TABLE IF EXISTS fv", "CREATE TABLE fv (k " + r.key.ddl + " PRIMARY KEY, tenant int NOT NULL DEFAULT 1, n int NOT NULL DEFAULT 0, name varchar(40), ssn " + column + ")"} {
			if _, err := r.admin[i].Exec(text); err != nil {
				r.Fatalf("%s: %v", text, err)
			}
		}
	}
	context := "{k: k}"
	if r.tenant {
		context = "{k: k, tenant: tenant}"
	}
	p, err := policy.Parse("fuzz", fmt.Appendf(nil, `
version: 1
keyrings:
  pii: {kms: {keys: ["%s"]}}
  dev: {raw_aes: {namespace: fuzz, name: key, key_env: SEALSQL_FUZZ_KEY}}
tables:
  fv: {row_key: [k], columns: {ssn: {keyring: %s, type: %s, storage: %s, context: %s%s}}}
`, r.arn, r.search.keyring(), r.value.policy, storage, context, r.search.policy()))
	if err != nil {
		r.Fatal(err)
	}
	k, _ := kms()
	for range 4 {
		settings := fuzzSettings(r.Rand, r.server)
		r.settings = append(r.settings, settings)
		bareName, dsn := r.server.DSN(r.server.Addr(), r.names[0])
		r.sealed = append(r.sealed, openQuiet(r.T, bareName, withSettings(dsn, settings), driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")),
			driver.WithAlertFunc(r.events.add)))
		_, dsn = r.server.DSN(r.server.Addr(), r.names[1])
		db, err := sql.Open(bareName, withSettings(dsn, settings))
		if err != nil {
			r.Fatal(err)
		}
		r.bare = append(r.bare, db)
		r.session = append(r.session, fuzzSession(r.Rand, r.server, settings))
		r.converts = r.converts || r.session[len(r.session)-1] != ""
		for _, db := range []*sql.DB{r.sealed[len(r.sealed)-1], db} {
			db.SetMaxOpenConns(1) // it keeps its session
			if text := r.session[len(r.session)-1]; text != "" {
				if _, err := db.Exec(text); err != nil {
					r.Fatalf("%s: %v", text, err)
				}
			}
		}
	}
}

func (r *valuesRound) close() {
	for _, db := range append(r.sealed, r.bare...) {
		if err := db.Close(); err != nil {
			r.Error(err)
		}
	}
}

// withSettings replaces the settings of a MySQL DSN, and adds to those of Postgres's.
func withSettings(dsn, settings string) string {
	base, old, _ := strings.Cut(dsn, "?")
	if strings.HasPrefix(dsn, "postgres") {
		settings = old + "&" + settings
	}
	return base + "?" + settings
}

// fuzzStatement is a statement and its arguments.
type fuzzStatement struct {
	text string
	args []any
}

// put writes a value: as an argument, or as a literal where it has one.
func (s *fuzzStatement) put(r *valuesRound, v fuzzValue) string {
	if v.literal != "" && (v.arg == nil || r.IntN(4) == 0) {
		return v.literal
	}
	s.args = append(s.args, v.arg)
	if r.server.Name == "mysql" {
		return "?"
	}
	return fmt.Sprintf("$%d", len(s.args))
}

func (r *valuesRound) newKey() fuzzValue {
	v := r.key.value(r.Rand)
	r.keys = append(r.keys, v)
	return v
}

// anyKey is one that was used, mostly.
func (r *valuesRound) anyKey() fuzzValue {
	if len(r.keys) == 0 || r.IntN(4) == 0 {
		return r.newKey()
	}
	return r.keys[r.IntN(len(r.keys))]
}

func (r *valuesRound) step() {
	if r.search.on && r.IntN(3) == 0 {
		r.searches()
		return
	}
	s := &fuzzStatement{}
	switch r.IntN(9) {
	case 0, 1:
		s.text = "INSERT INTO fv (k, ssn, n, name) VALUES " + r.rows(s, 1+r.IntN(2))
	case 2, 3:
		rows := r.rows(s, 1+r.IntN(2))
		s.text = "INSERT INTO fv (k, ssn, n, name) VALUES " + rows
		s.text += r.upsert() + ", n = fv.n + 1"
	case 4, 5:
		s.text = "UPDATE fv SET ssn = " + s.put(r, r.value.value(r.Rand)) + ", n = n + 1 WHERE k = "
		s.text += s.put(r, r.anyKey())
	case 6:
		s.text = "UPDATE fv SET ssn = " + s.put(r, r.value.value(r.Rand)) + ", n = n + 1 WHERE name < 'n'"
	case 7:
		s.text = "UPDATE fv SET k = " + s.put(r, r.newKey()) + ", n = n + 1 WHERE k = "
		s.text += s.put(r, r.anyKey())
	case 8:
		s.text = "DELETE FROM fv WHERE k = " + s.put(r, r.anyKey())
	}
	r.run(r.IntN(2), s)
	r.compare(2 + r.IntN(2))
}

// upsert is the clause that writes the value to the row that has the key.
func (r *valuesRound) upsert() string {
	if r.server.Name == "postgres" {
		return " ON CONFLICT (k) DO UPDATE SET ssn = EXCLUDED.ssn"
	}
	return " ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"
}

func (r *valuesRound) rows(s *fuzzStatement, n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + s.put(r, r.anyKey()) + ", "
		rows[i] += s.put(r, r.value.value(r.Rand)) + fmt.Sprintf(", %d, '%c')", r.IntN(3), 'a'+r.IntN(26))
	}
	return strings.Join(rows, ", ")
}

// run sends a statement through sealsql and, unless it is refused, bare to the twin.
func (r *valuesRound) run(at int, s *fuzzStatement) {
	line := fmt.Sprintf("[%s %s] %s %s", r.settings[at], r.session[at], s.text, describeArgs(s.args))
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	got, gotErr := r.sealed[at].ExecContext(ctx, s.text, s.args...)
	if errors.Is(gotErr, driver.ErrRefused) || errors.Is(gotErr, driver.ErrValue) {
		r.refused++
		r.log = append(r.log, "refused: "+line+": "+gotErr.Error())
		return
	}
	want, wantErr := r.bare[at].ExecContext(ctx, s.text, s.args...)
	r.compared++
	r.log = append(r.log, line)
	if gotErr == nil && wantErr != nil {
		if n, err := got.RowsAffected(); n == 0 && err == nil {
			r.failedBoth++ // a value that no row takes is not looked at
			return
		}
	}
	switch {
	case unencodable(gotErr) && unencodable(wantErr): // of several arguments either may come first
		r.failedBoth++
	case class(gotErr) != class(wantErr):
		r.errorf("%s\n got: %v\nwant: %v", line, gotErr, wantErr)
	case gotErr != nil:
		r.failedBoth++
		r.log[len(r.log)-1] += ": " + wantErr.Error()
	default:
		g, _ := got.RowsAffected()
		w, _ := want.RowsAffected()
		if g != w {
			r.errorf("%s: %d rows affected, bare %d", line, g, w)
		}
	}
}

// unencodable reports whether pgx has no way to send an argument: in the modes that know no
// types, a [16]byte.
func unencodable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unable to encode")
}

func describeArgs(args []any) string {
	var list []string
	for _, a := range args {
		list = append(list, fmt.Sprintf("%T(%+v)", a, a))
	}
	return strings.Join(list, ", ")
}

// compare reads the whole table through sealsql and bare.
func (r *valuesRound) compare(at int) {
	r.answer(at, &fuzzStatement{text: "SELECT k, ssn, n, name FROM fv"})
}

// answer sends a query through sealsql and bare.
func (r *valuesRound) answer(at int, s *fuzzStatement) {
	got, gotTypes, gotErr := readTyped(r.Context(), r.sealed[at], s.text, s.args...)
	want, wantTypes, wantErr := readTyped(r.Context(), r.bare[at], s.text, s.args...)
	settings := r.settings[at] + " " + r.session[at]
	if len(s.args) > 0 || strings.Contains(s.text, "WHERE") {
		settings += ": " + s.text + " " + describeArgs(s.args)
		r.log = append(r.log, "["+settings)
	}
	if gotErr != nil || wantErr != nil {
		switch {
		case wantErr != nil && strings.Contains(wantErr.Error(), "invalid hex format"): // pgx's own limit
		case unencodable(gotErr) && unencodable(wantErr):
		case r.search.refuses(gotErr):
			r.refused++
		case r.foreign(at, gotErr):
			r.refused++
		case gotErr == nil || wantErr == nil:
			r.errorf("reading under %s\n got: %v\nwant: %v", settings, gotErr, wantErr)
		}
		return
	}
	if !slices.Equal(got, want) {
		r.errorf("reading under %s\n got: %q\nwant: %q", settings, got, want)
	}
	if *fuzzValuesStrict && !slices.Equal(gotTypes, wantTypes) {
		r.errorf("types under %s\n got: %q\nwant: %q", settings, gotTypes, wantTypes)
	}
	r.unaccused()
}

// unaccused fails the round if an event is about a row.
func (r *valuesRound) unaccused() {
	for _, e := range r.events.all() {
		if e.Kind != alert.Refused {
			r.errorf("an honest row is accused: %+v", e)
			return
		}
	}
}

// readTyped reads rows as texts that tell types apart, sorted, and the columns'
// scan types.
func readTyped(ctx context.Context, db *sql.DB, text string, args ...any) (lines, types []string, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range columns {
		types = append(types, fmt.Sprint(c.ScanType()))
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, nil, err
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = typedText(*c.(*any))
			if !*fuzzValuesStrict && i == 1 {
				line[i] = looseText(*c.(*any))
			}
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	slices.Sort(lines)
	return lines, types, rows.Err()
}

func looseText(v any) string {
	s := strings.TrimSuffix(strings.SplitN(typedText(v), ":", 2)[1], ".000000")
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' && s[0] != '9' && s[1] != 'b' {
		return "time"
	}
	return s
}

func typedText(v any) string {
	switch v := v.(type) {
	case []byte:
		return fmt.Sprintf("bytes:%s", v)
	case time.Time:
		return "time:" + v.Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%T:%v", v, v)
}

// openQuiet opens a database through sealsql; the caller closes it.
func openQuiet(t *testing.T, bareName, dsn string, opts ...driver.Option) *sql.DB {
	t.Helper()
	db, err := sql.Open(bareName, dsn)
	if err != nil {
		t.Fatalf("%s: %v", dsn, err)
	}
	defer db.Close()
	return sealedDB(t, db, dsn, opts...)
}
