package integration

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

const membersPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: {from: tenant}}
tables:
  members:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, context: {id: id, tenant: tenant}}
      note: {keyring: pii, type: string, storage: base64, context: {id: id, tenant: {from: tenant, stored: false}}}
`

// members is a table whose tenants are texts, with a database opened over it
// as often as a process that knows no branch key yet is needed.
type members struct {
	*site
	kms *sealtest.KMS
	arn string
}

func newMembers(s *site) *members {
	s.t.Helper()
	makeTable(s)
	ddl := `CREATE TABLE members (id varchar(20) PRIMARY KEY, tenant varchar(300), name text, ssn bytea, note text)`
	if !s.postgres() {
		ddl = `CREATE TABLE members (id varchar(20) PRIMARY KEY, tenant varchar(300), name text, ssn blob, note text) CHARACTER SET utf8mb4`
	}
	if _, err := s.bare.Exec(ddl); err != nil {
		s.t.Fatal(err)
	}
	m := &members{site: s, kms: sealtest.NewKMS()}
	s.t.Cleanup(m.kms.Close)
	m.arn = m.kms.CreateKey("us-east-1")
	return m
}

// twoTenants makes the branch keys of the tenants a and b.
func (m *members) twoTenants(db *sql.DB) {
	m.t.Helper()
	keys := branchKeys(m.site, db)
	for _, tenant := range []string{"a", "b"} {
		if _, err := keys.Create(m.t.Context(), tenant, nil); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *members) open() *sql.DB {
	m.t.Helper()
	m.t.Setenv("SEALSQL_TEST_KEY", m.arn)
	p, err := policy.Parse("test", []byte(membersPolicy))
	if err != nil {
		m.t.Fatal(err)
	}
	var name string
	if err := m.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[m.postgres()]).Scan(&name); err != nil {
		m.t.Fatal(err)
	}
	bareName, dsn := m.server.DSN(m.proxy.Addr(), name)
	return open(m.t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(m.kms.AWSConfig("us-east-1")), driver.WithAlertFunc(m.alert))
}

// read reads both columns of a row, each by itself.
func (m *members) read(db *sql.DB, id string) (ssn, note error) {
	one := func(column, want string) error {
		var got string
		err := db.QueryRow(m.q("SELECT "+column+" FROM members WHERE id = ?"), id).Scan(&got)
		if err == nil && got != want {
			m.t.Errorf("%s of %s is %q", column, id, got)
		}
		return err
	}
	return one("ssn", ssn1), one("note", ssn2)
}

// stored returns the messages of a row.
func (m *members) stored(id string) (ssn []byte, note string, messages [2]*codec.Message) {
	m.t.Helper()
	if err := m.bare.QueryRow(m.q("SELECT ssn, note FROM members WHERE id = ?"), id).Scan(&ssn, &note); err != nil {
		m.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(note)
	if err != nil {
		m.t.Fatal(err)
	}
	for i, b := range [][]byte{ssn, raw} {
		if messages[i], err = codec.Parse(b); err != nil {
			m.t.Fatal(err)
		}
	}
	return ssn, note, messages
}

func (m *members) bareExec(text string, args ...any) {
	m.t.Helper()
	if _, err := m.bare.Exec(m.q(text), args...); err != nil {
		m.t.Fatal(err)
	}
}

const insertMember = "INSERT INTO members (id, tenant, ssn, note) VALUES (?, ?, ?, ?)"

// TestTenantsWithOddNames: each is a branch key of its own, found by its very
// bytes; what cannot be the id of one is refused before anything is sent.
func TestTenantsWithOddNames(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		m := newMembers(s)
		db := m.open()
		keys := branchKeys(s, db)
		good := []string{"acme", "ACME", "acmé", "acme ", " acme", "ac\tme", "1", "01", "null", "NULL", "%", "_cme", "a'b", `a"b`, `a\b`, "a;--", "branch:ACTIVE",
			"acme@arn:aws:kms:us-east-1:111122223333:key/x", "{}", "\x01", "\u200b", "naïve", "nai\u0308ve", "\U0001F511", strings.Repeat("x", 255), strings.Repeat("ü", 127)}
		for i, tenant := range good {
			id := fmt.Sprint(i)
			if _, err := db.Exec(m.q(insertMember), id, tenant, ssn1, ssn2); !errors.Is(err, driver.ErrNoBranchKey) {
				t.Errorf("%q, before it has a key: %v", tenant, err)
			}
			if _, err := keys.Create(t.Context(), tenant, nil); err != nil {
				t.Fatalf("%q: %v", tenant, err)
			}
			if _, err := db.Exec(m.q(insertMember), id, tenant, ssn1, ssn2); err != nil {
				t.Errorf("%q: %v", tenant, err)
				continue
			}
			_, _, messages := m.stored(id)
			for _, message := range messages {
				if got := string(message.WrappedKeys()[0].ProviderInfo); got != tenant {
					t.Errorf("%q: sealed under the branch key of %q", tenant, got)
				}
			}
		}
		fresh := m.open()
		for i := range good {
			id, next := fmt.Sprint(i), good[(i+1)%len(good)]
			if ssn, note := m.read(fresh, id); ssn != nil || note != nil {
				t.Errorf("%q: %v, %v", good[i], ssn, note)
			}
			// The row is given to another tenant behind sealsql's back.
			m.bareExec("UPDATE members SET tenant = ? WHERE id = ?", next, id)
			if ssn, note := m.read(fresh, id); !errors.Is(ssn, driver.ErrMismatch) || !errors.Is(note, driver.ErrMismatch) {
				t.Errorf("%q as %q: %v, %v", good[i], next, ssn, note)
			}
		}
		bad := []any{nil, "", strings.Repeat("x", 256), strings.Repeat("ü", 128)}
		for _, tenant := range bad {
			if _, err := db.Exec(m.q(insertMember), "bad", tenant, ssn1, ssn2); !errors.Is(err, driver.ErrValue) {
				t.Errorf("%v: %v", tenant, err)
			}
			// A row that is there already, and gets such a tenant.
			m.bareExec("UPDATE members SET tenant = ? WHERE id = '0'", tenant)
			ssn, note := m.read(fresh, "0")
			if !errors.Is(ssn, driver.ErrMismatch) || errors.Is(note, nil) || !errors.Is(note, driver.ErrMismatch) && !errors.Is(note, driver.ErrUnknownKey) {
				t.Errorf("a row of %v: %v, %v", tenant, ssn, note)
			}
		}
		if len(good) != 26 || len(bad) != 4 {
			t.Errorf("%d and %d tenants", len(good), len(bad))
		}
	})
}

// TestValuesOfOtherTenants: a value is opened under the branch key of the row's
// tenant, or not at all, whatever is moved and whatever the message says.
func TestValuesOfOtherTenants(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		m := newMembers(s)
		db := m.open()
		keys := branchKeys(s, db)
		for _, tenant := range []string{"a", "b"} {
			if _, err := keys.Create(t.Context(), tenant, nil); err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				if _, err := db.Exec(m.q(insertMember), fmt.Sprint(tenant, n), tenant, ssn1, ssn2); err != nil {
					t.Fatal(err)
				}
			}
			if tenant == "a" { // a1 and those of b are under another version
				if _, err := keys.Rotate(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				db = m.open()
				keys = branchKeys(s, db)
				if _, err := db.Exec(m.q(insertMember), "a2", "a", ssn1, ssn2); err != nil {
					t.Fatal(err)
				}
			}
		}
		type pair struct {
			ssn  []byte
			note string
		}
		original := map[string]pair{}
		for _, id := range []string{"a0", "a1", "a2", "b0", "b1"} {
			ssn, note, _ := m.stored(id)
			original[id] = pair{ssn, note}
			for range 4 { // what is read again and again is opened with kept keys
				if ssn, note := m.read(db, id); ssn != nil || note != nil {
					t.Fatal(ssn, note)
				}
			}
		}
		// edit changes both messages of a pair.
		edit := func(p pair, f func(raw []byte, m *codec.Message) []byte) pair {
			change := func(raw []byte) []byte {
				message, err := codec.Parse(raw)
				if err != nil {
					t.Fatal(err)
				}
				return f(bytes.Clone(raw), message)
			}
			raw, err := base64.StdEncoding.DecodeString(p.note)
			if err != nil {
				t.Fatal(err)
			}
			return pair{change(p.ssn), base64.StdEncoding.EncodeToString(change(raw))}
		}
		// wrapped returns where a message's only wrapped key lies.
		wrapped := func(raw []byte, m *codec.Message) (id, key int) {
			k := m.WrappedKeys()[0]
			key = bytes.Index(raw, k.Ciphertext)
			return key - 2 - len(k.ProviderInfo), key
		}
		named := func(tenant string) func([]byte, *codec.Message) []byte {
			return func(raw []byte, m *codec.Message) []byte {
				at, _ := wrapped(raw, m)
				copy(raw[at:], tenant)
				return raw
			}
		}
		keyOf := func(from pair) func([]byte, *codec.Message) []byte {
			return func(raw []byte, m *codec.Message) []byte {
				other := from.ssn
				if _, ok := m.Context()["tenant"]; !ok {
					other, _ = base64.StdEncoding.DecodeString(from.note)
				}
				o, err := codec.Parse(other)
				if err != nil {
					t.Fatal(err)
				}
				_, at := wrapped(raw, m)
				copy(raw[at:], o.WrappedKeys()[0].Ciphertext)
				return raw
			}
		}
		versionOf := func(from pair) func([]byte, *codec.Message) []byte {
			return func(raw []byte, m *codec.Message) []byte {
				o, err := codec.Parse(from.ssn)
				if err != nil {
					t.Fatal(err)
				}
				_, at := wrapped(raw, m)
				copy(raw[at+28:at+44], o.WrappedKeys()[0].Ciphertext[28:44])
				return raw
			}
		}
		both := func(f, g func([]byte, *codec.Message) []byte) func([]byte, *codec.Message) []byte {
			return func(raw []byte, m *codec.Message) []byte { return g(f(raw, m), m) }
		}
		cases := []struct {
			name, row, tenant string
			put               pair
			ssn, note         error
		}{
			{"its own", "a0", "a", original["a0"], nil, nil},
			{"its own, under the version after", "a2", "a", original["a2"], nil, nil},
			{"another row's of the tenant", "a0", "a", original["a1"], driver.ErrMismatch, driver.ErrMismatch},
			{"another version's of the tenant", "a0", "a", original["a2"], driver.ErrMismatch, driver.ErrMismatch},
			{"another tenant's", "b0", "b", original["a0"], driver.ErrMismatch, driver.ErrMismatch},
			{"another tenant's, and the tenant with it", "b0", "a", original["a0"], driver.ErrMismatch, driver.ErrMismatch},
			{"its own, in a row of another tenant", "a0", "b", original["a0"], driver.ErrMismatch, driver.ErrMismatch},
			{"naming another tenant's branch key", "a0", "a", edit(original["a0"], named("b")), driver.ErrMismatch, driver.ErrMismatch},
			{"naming another tenant's, in his row", "a0", "b", edit(original["a0"], named("b")), driver.ErrMismatch, driver.ErrMismatch},
			{"naming one that is not there", "a0", "a", edit(original["a0"], named("c")), driver.ErrMismatch, driver.ErrMismatch},
			{"another row's wrapped key", "a0", "a", edit(original["a0"], keyOf(original["a1"])), driver.ErrTampered, driver.ErrMismatch},
			{"another tenant's wrapped key", "a0", "a", edit(original["a0"], keyOf(original["b0"])), driver.ErrTampered, driver.ErrMismatch},
			{"another tenant's wrapped key and name", "a0", "b", edit(original["a0"], both(named("b"), keyOf(original["b0"]))), driver.ErrMismatch, driver.ErrMismatch},
			{"another version", "a0", "a", edit(original["a0"], versionOf(original["a2"])), driver.ErrTampered, driver.ErrMismatch},
			{"another tenant's version", "a0", "a", edit(original["a0"], versionOf(original["b0"])), driver.ErrTampered, driver.ErrMismatch},
		}
		for _, c := range cases {
			m.bareExec("UPDATE members SET tenant = ?, ssn = ?, note = ? WHERE id = ?", c.tenant, c.put.ssn, c.put.note, c.row)
			for _, from := range []*sql.DB{db, m.open()} {
				ssn, note := m.read(from, c.row)
				if !errors.Is(ssn, c.ssn) || !errors.Is(note, c.note) || (ssn == nil) != (c.ssn == nil) || (note == nil) != (c.note == nil) {
					t.Errorf("%s: %v; %v", c.name, ssn, note)
				}
			}
			// Written row by row it is not made right.
			if _, err := db.Exec(m.q("UPDATE members SET tenant = 'b' WHERE id = ?"), c.row); c.ssn != nil && (err == nil || !errors.Is(err, driver.ErrMismatch) && !errors.Is(err, driver.ErrTampered)) {
				t.Errorf("%s: written row by row: %v", c.name, err)
			}
			m.bareExec("UPDATE members SET tenant = ?, ssn = ?, note = ? WHERE id = ?", c.row[:1], original[c.row].ssn, original[c.row].note, c.row)
		}
		if len(cases) != 15 {
			t.Errorf("%d cases", len(cases))
		}
	})
}

// TestARowChangesItsTenant: its values go over to the other's branch key, in
// whatever way the row is given to it, or the row stays where it is.
func TestARowChangesItsTenant(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		m := newMembers(s)
		db := m.open()
		m.twoTenants(db)
		upsert := "INSERT INTO members (id, tenant) VALUES ('1', ?) ON CONFLICT (id) DO UPDATE SET tenant = EXCLUDED.tenant"
		if !s.postgres() {
			upsert = "INSERT INTO members (id, tenant) VALUES ('1', ?) ON DUPLICATE KEY UPDATE tenant = VALUES(tenant)"
		}
		forms := []string{
			"UPDATE members SET tenant = ? WHERE id = '1'",
			"UPDATE members SET tenant = ?",
			"UPDATE members SET name = 'x', tenant = ? WHERE name IS NULL OR name <> 'never'",
			"UPDATE members SET tenant = concat(?, '') WHERE id = '1'",
			upsert,
		}
		refused := 0
		for _, form := range forms {
			for _, to := range []struct {
				tenant any
				want   error
			}{{"b", nil}, {"a", nil}, {"c", driver.ErrNoBranchKey}, {"", driver.ErrValue}, {nil, driver.ErrValue}, {strings.Repeat("x", 256), driver.ErrValue}} {
				m.bareExec("DELETE FROM members")
				if _, err := db.Exec(m.q(insertMember), "1", "a", ssn1, ssn2); err != nil {
					t.Fatal(err)
				}
				_, err := db.Exec(m.q(form), to.tenant)
				var now string
				if e := s.bare.QueryRow("SELECT tenant FROM members").Scan(&now); e != nil {
					t.Fatal(e)
				}
				_, _, messages := m.stored("1")
				ssn, note := m.read(m.open(), "1")
				if ssn != nil || note != nil {
					t.Errorf("%s, %v: the row does not open: %v, %v", form, to.tenant, ssn, note)
				}
				for _, message := range messages {
					if got := string(message.WrappedKeys()[0].ProviderInfo); got != now {
						t.Errorf("%s, %v: sealed for %q in a row of %q", form, to.tenant, got, now)
					}
				}
				if errors.Is(err, driver.ErrRefused) {
					refused++
				} else if !errors.Is(err, to.want) || (err == nil) != (to.want == nil) || err == nil && now != to.tenant {
					t.Errorf("%s, %.10v: %v", form, to.tenant, err)
				}
			}
		}
		t.Logf("%d forms, %d refusals", len(forms), refused)
		if len(forms) != 5 || refused != 12 {
			t.Errorf("%d forms, %d refusals", len(forms), refused)
		}
	})
}

// TestAStoreThatWasChanged by somebody who writes to the database: no value is
// opened or sealed with what he put there.
func TestAStoreThatWasChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		m := newMembers(s)
		db := m.open()
		m.twoTenants(db)
		for _, tenant := range []string{"a", "b"} {
			if _, err := db.Exec(m.q(insertMember), tenant, tenant, ssn1, ssn2); err != nil {
				t.Fatal(err)
			}
		}
		const table = branchkey.DefaultTable
		m.bareExec("CREATE TABLE kept AS SELECT * FROM " + table)
		const of = " WHERE branch_key_id = 'a'"
		put := func(column, typ string) string {
			return "UPDATE " + table + " SET " + column + " = (SELECT k." + column + " FROM kept k WHERE k.branch_key_id = 'b' AND k.type LIKE '" + typ + "')" + of + " AND type LIKE '" + typ + "'"
		}
		cases := []struct {
			name        string
			texts       []string
			read, write error
		}{
			{"as it is", nil, nil, nil},
			{"another tenant's keys under this name", []string{"DELETE FROM " + table + of, "UPDATE " + table + " SET branch_key_id = 'a' WHERE branch_key_id = 'b'"}, driver.ErrTampered, driver.ErrTampered},
			{"another tenant's active key", []string{put("enc", "branch:ACTIVE")}, nil, driver.ErrTampered},
			{"another tenant's version", []string{put("enc", "branch:version:%")}, driver.ErrTampered, nil},
			{"an active key of another version", []string{put("version", "branch:ACTIVE")}, nil, driver.ErrTampered},
			{"the version as the active key", []string{"UPDATE " + table + " SET enc = (SELECT enc FROM kept WHERE branch_key_id = 'a' AND type LIKE 'branch:version:%')" + of + " AND type = 'branch:ACTIVE'"}, nil, driver.ErrTampered},
			{"the beacon as the active key", []string{"UPDATE " + table + " SET enc = (SELECT enc FROM kept WHERE branch_key_id = 'a' AND type = 'beacon:ACTIVE')" + of + " AND type = 'branch:ACTIVE'"}, nil, driver.ErrTampered},
			{"emptied", []string{"UPDATE " + table + " SET enc = ''" + of}, driver.ErrTampered, driver.ErrTampered},
			{"an older time", []string{"UPDATE " + table + " SET create_time = '2001-01-01T00:00:00.000000Z'" + of}, driver.ErrTampered, driver.ErrTampered},
			{"a custom pair", []string{"UPDATE " + table + ` SET context = '{"k":"v"}'` + of}, driver.ErrTampered, driver.ErrTampered},
			{"a pair named as an attribute is", []string{"UPDATE " + table + ` SET context = '{"branch-key-id":"b"}'` + of}, driver.ErrTampered, driver.ErrTampered},
			{"a context that is none", []string{"UPDATE " + table + " SET context = '{'" + of}, driver.ErrKeyUnavailable, driver.ErrKeyUnavailable},
			{"another KMS key's name", []string{"UPDATE " + table + " SET kms_arn = 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555'" + of}, driver.ErrUnknownKey, driver.ErrUnknownKey},
			{"no KMS key's name", []string{"UPDATE " + table + " SET kms_arn = 'x'" + of}, driver.ErrUnknownKey, driver.ErrUnknownKey},
			{"another hierarchy", []string{"UPDATE " + table + " SET hierarchy_version = 2" + of}, driver.ErrKeyUnavailable, driver.ErrKeyUnavailable},
			{"without its versions", []string{"DELETE FROM " + table + of + " AND type LIKE 'branch:version:%'"}, driver.ErrTampered, nil},
			{"without its active key", []string{"DELETE FROM " + table + of + " AND type = 'branch:ACTIVE'"}, nil, driver.ErrNoBranchKey},
			{"deleted", []string{"DELETE FROM " + table + of}, driver.ErrShredded, driver.ErrNoBranchKey},
			{"all deleted", []string{"DELETE FROM " + table}, driver.ErrShredded, driver.ErrNoBranchKey},
		}
		for _, c := range cases {
			for _, text := range c.texts {
				m.bareExec(text)
			}
			fresh := m.open()
			ssn, _ := m.read(fresh, "a")
			if !errors.Is(ssn, c.read) || (ssn == nil) != (c.read == nil) {
				t.Errorf("%s: read: %v", c.name, ssn)
			}
			_, err := m.open().Exec(m.q(insertMember), "new", "a", ssn1, ssn2)
			if !errors.Is(err, c.write) || (err == nil) != (c.write == nil) {
				t.Errorf("%s: write: %v", c.name, err)
			}
			m.bareExec("DELETE FROM members WHERE id = 'new'")
			m.bareExec("DELETE FROM " + table)
			m.bareExec("INSERT INTO " + table + " SELECT * FROM kept")
		}
		if len(cases) != 19 {
			t.Errorf("%d cases", len(cases))
		}
	})
}

// TestUpsertsOverAnotherTenantsRow: the value that an upsert leaves in a row is sealed
// for the row's tenant, whichever that is then, or nothing is written.
func TestUpsertsOverAnotherTenantsRow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		m := newMembers(s)
		db := m.open()
		m.twoTenants(db)
		cases := []struct {
			set            string // of column NEW(column)
			tenant         string // that the row has then; "" if the statement is refused
			mysql          string // the same on MySQL
			wantSSN, wantN string
		}{
			{"ssn = NEW(ssn)", "a", "a", ssn3, ssn2},
			{"ssn = NEW(ssn), note = NEW(note)", "a", "a", ssn3, "n"},
			{"ssn = '900-44-5566'", "a", "a", "900-44-5566", ssn2},
			{"name = NEW(name)", "a", "a", ssn1, ssn2},
			{"ssn = NEW(ssn), note = NEW(note), tenant = NEW(tenant)", "b", "b", ssn3, "n"},
			{"ssn = NEW(ssn), tenant = NEW(tenant)", "", "", ssn1, ssn2},
			{"tenant = NEW(tenant)", "", "", ssn1, ssn2},
			{"ssn = NEW(ssn), note = NEW(note), tenant = 'a'", "", "", ssn1, ssn2},
			{"ssn = NEW(ssn), note = NEW(note), tenant = concat('b', '')", "", "", ssn1, ssn2},
		}
		for _, c := range cases {
			m.bareExec("DELETE FROM members")
			if _, err := db.Exec(m.q(insertMember), "1", "a", ssn1, ssn2); err != nil {
				t.Fatal(err)
			}
			text, tenant := "INSERT INTO members (id, tenant, ssn, note, name) VALUES ('1', 'b', ?, 'n', 'x') ", c.tenant
			if s.postgres() {
				text += "ON CONFLICT (id) DO UPDATE SET " + strings.NewReplacer("NEW(", "EXCLUDED.", ")", "").Replace(strings.Replace(c.set, "concat('b', '')", "'b' || ''", 1))
			} else {
				text += "ON DUPLICATE KEY UPDATE " + strings.ReplaceAll(c.set, "NEW(", "VALUES(")
				tenant = c.mysql
			}
			_, err := db.Exec(m.q(text), ssn3)
			if errors.Is(err, driver.ErrRefused) != (tenant == "") || err != nil && tenant != "" {
				t.Errorf("%s: %v", c.set, err)
			}
			want, ssn, note := tenant, c.wantSSN, c.wantN
			if tenant == "" {
				want, ssn, note = "a", ssn1, ssn2
			}
			var gotTenant, gotSSN, gotNote string
			if err := db.QueryRow("SELECT tenant, ssn, note FROM members").Scan(&gotTenant, &gotSSN, &gotNote); err != nil || gotTenant != want || gotSSN != ssn || gotNote != note {
				t.Errorf("%s: the row of %q holds %q and %q, %v", c.set, gotTenant, gotSSN, gotNote, err)
			}
			_, _, messages := m.stored("1")
			for _, message := range messages {
				if got := string(message.WrappedKeys()[0].ProviderInfo); got != want {
					t.Errorf("%s: sealed for %q in a row of %q", c.set, got, want)
				}
			}
		}
		if len(cases) != 9 {
			t.Errorf("%d cases", len(cases))
		}
	})
}
