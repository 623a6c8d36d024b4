package driver_test

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

// served is what a base driver answers every text with.
type served []servedSet

func (s *served) base() answering {
	return func() sqldriver.Rows { return &servedRows{sets: *s} }
}

type servedSet struct {
	names []string
	rows  [][]any
}

type servedRows struct {
	sets []servedSet
	at   int
}

func (r *servedRows) Columns() []string      { return slices.Clone(r.sets[0].names) }
func (r *servedRows) Close() error           { return nil }
func (r *servedRows) HasNextResultSet() bool { return len(r.sets) > 1 }

func (r *servedRows) NextResultSet() error {
	if len(r.sets) == 1 {
		return io.EOF
	}
	r.sets, r.at = r.sets[1:], 0
	return nil
}

func (r *servedRows) Next(dest []sqldriver.Value) error {
	if r.at == len(r.sets[0].rows) {
		return io.EOF
	}
	for i, v := range r.sets[0].rows[r.at] {
		dest[i] = v
	}
	r.at++
	return nil
}

// serve returns a database over results whose table people has protected columns
// ssn and iban.
func serve(t *testing.T, results *served, ring codec.Keyring) (*sql.DB, func(column string, id int) any) {
	t.Helper()
	p, err := policy.Parse("test", []byte(`
version: 1
keyrings:
  local: {raw_aes: {namespace: test, name: key, key_env: NOT_USED}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: local, type: bytes}
      iban: {keyring: local, type: bytes}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(results.base(), driver.WithPolicy(p), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", ring),
		driver.WithSchema(driver.Schema{"people": {{Name: "id", Type: "bigint", Unique: true}, {Name: "ssn", Type: "bytea"}, {Name: "iban", Type: "bytea"}, {Name: "note", Type: "text"}}}))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := driver.Sealer(db)
	if err != nil {
		t.Fatal(err)
	}
	return db, func(column string, id int) any {
		m, err := sealer.Seal(t.Context(), "people", column, driver.Row{"id": int64(id)}, fmt.Appendf(nil, "%s of %d", column, id))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// A result set that is left half-way is still being opened in the background
// while the next one, which may be wider or narrower, is read: neither knows of the
// other.
func TestResultSetsThatAreLeftHalfWay(t *testing.T) {
	results := &served{}
	db, sealed := serve(t, results, rawKey(t))
	const people = 200
	narrow := servedSet{names: []string{"id", "ssn"}}
	wide := servedSet{names: []string{"id", "ssn", "note", "iban", "note"}}
	other := servedSet{names: []string{"iban", "id"}}
	for i := range people {
		ssn, iban := sealed("ssn", i), sealed("iban", i)
		narrow.rows = append(narrow.rows, []any{int64(i), ssn})
		wide.rows = append(wide.rows, []any{int64(i), ssn, "a", iban, "b"})
		other.rows = append(other.rows, []any{iban, int64(i)})
	}
	*results = served{narrow, other, wide, other, narrow}
	texts := map[string]string{"narrow": "SELECT id, ssn FROM people", "wide": "SELECT id, ssn, note, iban, note FROM people", "other": "SELECT iban, id FROM people"}
	text := texts["narrow"] + ";" + texts["other"] + ";" + texts["wide"] + ";" + texts["other"] + ";" + texts["narrow"]
	for round := range 30 {
		rows, err := db.Query(text)
		if err != nil {
			t.Fatal(err)
		}
		var shown [][]string
		for set := range *results {
			if set > 0 && !rows.NextResultSet() {
				t.Fatalf("set %d: %v", set, rows.Err())
			}
			names, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			shown = append(shown, names)
			for i := range 20 + round { // of 200
				if !rows.Next() {
					t.Fatalf("set %d, row %d: %v", set, i, rows.Err())
				}
				cells := make([]any, len(names))
				to := make([]any, len(names))
				for c := range cells {
					to[c] = &cells[c]
				}
				if err := rows.Scan(to...); err != nil {
					t.Fatal(err)
				}
				for c, name := range names {
					switch v := cells[c].(type) {
					case []byte:
						if string(v) != fmt.Sprintf("%s of %d", name, i) {
							t.Fatalf("set %d, row %d: %s is %q", set, i, name, v)
						}
					case int64:
						if v != int64(i) {
							t.Fatalf("set %d, row %d: id %d", set, i, v)
						}
					}
				}
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		for set, names := range shown {
			if !slices.Equal(names, (*results)[set].names) {
				t.Errorf("the names of set %d were %q, and are now %q", set, (*results)[set].names, names)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// hanging is a keyring that does not open one message until it is let go,
// whatever becomes of the caller.
type hanging struct {
	codec.Keyring
	message  []byte
	in, hold chan struct{}
}

func (h *hanging) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if bytes.Contains(h.message, keys[0].Ciphertext) {
		close(h.in)
		<-h.hold
	}
	return h.Keyring.OnDecrypt(context.WithoutCancel(ctx), m, keys)
}

// A value that several rows show, and that was not waited for when the context
// ended, is not NULL in the rows behind: whoever asks for them is told.
func TestRowsBehindOneThatWasGivenUp(t *testing.T) {
	results := &served{}
	ring := &hanging{Keyring: rawKey(t), in: make(chan struct{}), hold: make(chan struct{})}
	db, sealed := serve(t, results, ring)
	messages := []any{nil, sealed("ssn", 1), sealed("ssn", 2), sealed("ssn", 3)}
	ring.message = messages[3].([]byte)
	*results = served{{names: []string{"id", "ssn"}}}
	for _, id := range []int{1, 2, 3, 3, 3, 3} {
		(*results)[0].rows = append((*results)[0].rows, []any{int64(id), messages[id]})
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rows, err := c.(sqldriver.QueryerContext).QueryContext(ctx, "SELECT id, ssn FROM people", nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		defer close(ring.hold)
		dest := make([]sqldriver.Value, 2)
		for id := 1; id <= 2; id++ {
			if err := rows.Next(dest); err != nil || dest[0] != int64(id) {
				return fmt.Errorf("row %v, %w", dest[0], err)
			}
		}
		<-ring.in
		cancel()
		for i := range 3 {
			if err := rows.Next(dest); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("call %d after the context ended: %v, %v", i, dest, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
