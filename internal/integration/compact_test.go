package integration

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealtest"
)

// Both are data_key and format of a keyring.
const (
	asCompact = "{per: branch, store: sql, ttl: 15m, branch_key: shop}\n    format: compact"
	asMessage = "{per: branch, store: sql, ttl: 15m, branch_key: shop}"
)

// compactShop is a site whose new values are compact, under a branch key.
type compactShop struct {
	*site
	kms *sealtest.KMS
	arn string
	db  *sql.DB
}

func newCompactShop(t *testing.T, s *site) *compactShop {
	t.Helper()
	makeTable(s)
	shop := &compactShop{site: s, kms: sealtest.NewKMS()}
	t.Cleanup(shop.kms.Close)
	shop.arn = shop.kms.CreateKey("us-east-1")
	shop.db = reopen(s, shop.kms, shop.arn, asCompact)
	if _, err := branchKeys(s, shop.db).Create(t.Context(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	return shop
}

func (s *compactShop) insert(db *sql.DB, row string) {
	s.t.Helper()
	if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, ssn, note) VALUES (?, 1, ?, ?)"), row, ssn1, ssn2); err != nil {
		s.t.Fatal(err)
	}
}

func (s *compactShop) reads(db *sql.DB, row string) {
	s.t.Helper()
	var ssn, note string
	err := db.QueryRow(s.q("SELECT ssn, note FROM accounts WHERE account_number = ?"), row).Scan(&ssn, &note)
	if err != nil || ssn != ssn1 || note != ssn2 {
		s.t.Errorf("row %s: %q, %q, %v", row, ssn, note, err)
	}
}

// stored is the value of column ssn as it lies in the database.
func (s *compactShop) stored(row string) (ssn []byte) {
	s.t.Helper()
	if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), row).Scan(&ssn); err != nil {
		s.t.Fatal(err)
	}
	return ssn
}

func (s *compactShop) put(row string, ssn []byte) {
	s.t.Helper()
	if _, err := s.bare.Exec(s.q("UPDATE accounts SET ssn = ? WHERE account_number = ?"), ssn, row); err != nil {
		s.t.Fatal(err)
	}
}

func (s *compactShop) ssn(row string) error {
	return s.db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), row).Scan(new(string))
}

func TestCompactValuesAreWrittenAndRead(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		if err := site.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s := newCompactShop(t, site)
		s.insert(s.db, "a")
		s.reads(s.db, "a")
		if v := s.stored("a"); len(v) != 53+len(ssn1) || v[0] != 1 {
			t.Errorf("the value takes %d bytes: % x", len(v), v)
		}
		var note string
		if err := s.bare.QueryRow("SELECT note FROM accounts").Scan(&note); err != nil {
			t.Fatal(err)
		}
		if raw, err := base64.StdEncoding.DecodeString(note); err != nil || len(raw) != 53+len(ssn2) {
			t.Errorf("note: %q", note)
		}
		// Empty and NULL.
		if _, err := s.db.Exec("UPDATE accounts SET ssn = '', note = NULL WHERE account_number = 'a'"); err != nil {
			t.Fatal(err)
		}
		var ssn, none sql.NullString
		if err := s.db.QueryRow("SELECT ssn, note FROM accounts").Scan(&ssn, &none); err != nil || !ssn.Valid || ssn.String != "" || none.Valid {
			t.Errorf("%v, %v, %v", ssn, none, err)
		}
	})
}

// TestBothFormatsAreRead whatever the policy writes.
func TestBothFormatsAreRead(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		other := reopen(site, s.kms, s.arn, asMessage)
		s.insert(s.db, "compact")
		s.insert(other, "message")
		if n := len(s.stored("message")); n < 300 {
			t.Errorf("a message takes %d bytes", n)
		}
		for _, db := range []*sql.DB{s.db, other} {
			s.reads(db, "compact")
			s.reads(db, "message")
		}
		// Branch keys that only open.
		perValue := reopen(site, s.kms, s.arn, "{per: value, store: sql, ttl: 15m, branch_key: shop}")
		s.reads(perValue, "compact")
		s.reads(perValue, "message")
	})
}

// TestCompactValuesThatDoNotBelong: moved and changed values give one error that
// wraps both sentinels, and an event of their kind.
func TestCompactValuesThatDoNotBelong(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		for _, row := range []string{"a", "b"} {
			s.insert(s.db, row)
		}
		own := s.stored("a")
		var note string
		if err := s.bare.QueryRow("SELECT note FROM accounts WHERE account_number = 'a'").Scan(&note); err != nil {
			t.Fatal(err)
		}
		ofNote, err := base64.StdEncoding.DecodeString(note)
		if err != nil {
			t.Fatal(err)
		}
		changed := func(at int) []byte {
			v := bytes.Clone(own)
			v[at] ^= 1
			return v
		}
		cases := []struct {
			name  string
			value []byte
			want  error
			kind  alert.Kind
		}{
			{"moved from another row", s.stored("b"), driver.ErrUnauthentic, alert.Unauthentic},
			{"moved from another column", ofNote, driver.ErrUnauthentic, alert.Unauthentic},
			{"a bit of the IV changed", changed(6), driver.ErrUnauthentic, alert.Unauthentic},
			{"a bit of the ciphertext changed", changed(22), driver.ErrUnauthentic, alert.Unauthentic},
			{"a bit of the tag changed", changed(len(own) - 1), driver.ErrUnauthentic, alert.Unauthentic},
			{"cut short", own[:len(own)-1], driver.ErrUnauthentic, alert.Unauthentic},
			{"lengthened", append(bytes.Clone(own), 0), driver.ErrUnauthentic, alert.Unauthentic},
			{"another key id", changed(3), driver.ErrUnknownKey, alert.UnknownKey},
			{"another prefix", changed(0), driver.ErrNotCiphertext, alert.NotCiphertext},
			{"a plaintext", []byte(ssn2), driver.ErrNotCiphertext, alert.NotCiphertext},
		}
		for _, c := range cases {
			s.put("a", c.value)
			s.mu.Lock()
			s.events = nil
			s.mu.Unlock()
			s.db = reopen(site, s.kms, s.arn, asCompact)
			err := s.ssn("a")
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.want == driver.ErrUnauthentic && (!errors.Is(err, driver.ErrMismatch) || !errors.Is(err, driver.ErrTampered)) {
				t.Errorf("%s: the error wraps only a part: %v", c.name, err)
			}
			if e := s.drain(s.db); len(e) != 1 || e[0].Kind != c.kind || e[0].Column != "ssn" || e[0].RowKeyDigest == "" {
				t.Errorf("%s: events %v", c.name, e)
			}
		}
		s.put("a", own)
		s.reads(reopen(site, s.kms, s.arn, asCompact), "a")
		if len(cases) != 10 {
			t.Errorf("%d cases", len(cases))
		}
	})
}

func TestAHiddenRowHidesACompactValue(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		s.insert(s.db, "a")
		err := s.db.QueryRow("SELECT max(account_number), ssn FROM (SELECT DISTINCT ssn, '1' AS account_number FROM accounts) x GROUP BY ssn").Scan(new(string), new(string))
		if err == nil {
			t.Error("a value without its row was handed out")
		}
		if err != nil && strings.Contains(err.Error(), ssn1) {
			t.Error(err)
		}
	})
}

func TestCompactValuesAfterRotationAndDeletion(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		s.insert(s.db, "before")
		keys := branchKeys(site, s.db)
		if _, err := keys.Rotate(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		fresh := reopen(site, s.kms, s.arn, asCompact)
		s.insert(fresh, "after")
		if bytes.Equal(s.stored("before")[1:5], s.stored("after")[1:5]) {
			t.Error("both versions have one key id")
		}
		// The first connection has the old version in its cache.
		for _, db := range []*sql.DB{s.db, fresh} {
			s.reads(db, "before")
			s.reads(db, "after")
		}
		if err := keys.Delete(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		s.db = reopen(site, s.kms, s.arn, asCompact)
		for _, row := range []string{"before", "after"} {
			if err := s.ssn(row); !errors.Is(err, driver.ErrShredded) {
				t.Errorf("%s: %v", row, err)
			}
		}
		_, err := s.db.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES ('c', 1, ?)"), ssn1)
		if !errors.Is(err, driver.ErrNoBranchKey) {
			t.Error(err)
		}
	})
}

// TestManyCompactValues reads a scan whose values are opened by several goroutines.
func TestManyCompactValues(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		insert, args := "INSERT INTO accounts (account_number, tenant_id, ssn) VALUES ", []any{}
		const n = 600
		for i := range n {
			insert += map[bool]string{true: ", "}[i > 0] + "(?, 1, ?)"
			args = append(args, fmt.Sprintf("row-%04d", i), fmt.Sprintf("900-00-%04d", i))
		}
		if _, err := s.db.Exec(s.q(insert), args...); err != nil {
			t.Fatal(err)
		}
		rows, err := s.db.Query("SELECT account_number, ssn FROM accounts ORDER BY account_number")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		read := 0
		for ; rows.Next(); read++ {
			var key, ssn string
			if err := rows.Scan(&key, &ssn); err != nil || ssn != fmt.Sprintf("900-00-%04d", read) {
				t.Fatalf("%s: %q, %v", key, ssn, err)
			}
		}
		if rows.Err() != nil || read != n {
			t.Errorf("%d rows, %v", read, rows.Err())
		}
	})
}

// TestCompactValuesThatAreNotBoundToTheirColumn open in another column of the same
// row, as messages do under bind_location: false, and in no other row.
func TestCompactValuesThatAreNotBoundToTheirColumn(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		makeTable(site)
		policy := strings.ReplaceAll(branchPolicy, "type: string,", "type: string, bind_location: false, ")
		policy = strings.ReplaceAll(policy, "{from: tenant_id, stored: false}", "tenant_id")
		db, _, _ := site.under(fmt.Sprintf(policy, asCompact))
		if _, err := branchKeys(site, db).Create(t.Context(), "shop", nil); err != nil {
			t.Fatal(err)
		}
		for _, row := range []string{"a", "b"} {
			if _, err := db.Exec(site.q("INSERT INTO accounts (account_number, tenant_id, ssn, note) VALUES (?, 1, ?, ?)"), row, ssn1, ssn2); err != nil {
				t.Fatal(err)
			}
		}
		var note string
		if err := site.bare.QueryRow("SELECT note FROM accounts WHERE account_number = 'a'").Scan(&note); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(note)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := site.bare.Exec(site.q("UPDATE accounts SET ssn = ?"), raw); err != nil {
			t.Fatal(err)
		}
		var ssn string
		if err := db.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'a'").Scan(&ssn); err != nil || ssn != ssn2 {
			t.Errorf("in another column: %q, %v", ssn, err)
		}
		if err := db.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'b'").Scan(&ssn); !errors.Is(err, driver.ErrUnauthentic) {
			t.Errorf("in another row: %v", err)
		}
	})
}

// TestAGuardTakesBothFormats and no clear text.
func TestAGuardTakesBothFormats(t *testing.T) {
	onBoth(t, func(t *testing.T, site *site) {
		s := newCompactShop(t, site)
		if n := len(site.guards(fmt.Sprintf(branchPolicy, asCompact), "accounts")); n < 2 {
			t.Fatalf("%d guards", n)
		}
		other := reopen(site, s.kms, s.arn, asMessage)
		s.insert(s.db, "compact")
		s.insert(other, "message")
		s.reads(s.db, "compact")
		s.reads(s.db, "message")
		if _, err := s.db.Exec("UPDATE accounts SET ssn = '', note = '' WHERE account_number = 'compact'"); err != nil {
			t.Error(err)
		}
		for column, value := range map[string]any{"ssn": []byte(ssn1), "note": ssn2} {
			if !site.refuses("UPDATE accounts SET "+column+" = ? WHERE account_number = 'compact'", value) {
				t.Errorf("clear text in %s passes", column)
			}
		}
	})
}
