package integration

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// guards adds a guard for each protected column of a table and returns them.
func (s *site) guards(text, table string) []server.Guard {
	s.t.Helper()
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	room, err := server.Named(s.server.Name)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []server.Guard
	for _, t := range p.Tables() {
		for _, c := range t.Columns {
			if g, ok := server.NewGuard(p, t, c); ok && t.Name == table {
				out = append(out, g)
				for _, ddl := range room.AddGuard(g) {
					s.bareExec(ddl)
				}
			}
		}
	}
	return out
}

func (s *site) bareExec(text string, args ...any) {
	s.t.Helper()
	if _, err := s.bare.Exec(s.q(text), args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

// refuses reports whether the server refuses a bare write by a guard.
func (s *site) refuses(text string, args ...any) bool {
	_, err := s.bare.Exec(s.q(text), args...)
	return err != nil && strings.Contains(err.Error(), server.GuardPrefix)
}

func TestAGuardedColumnTakesSealedValuesAndNoClearText(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		list := s.guards(policyText, "accounts")
		if len(list) != 3 {
			t.Fatalf("%d guards, want 3", len(list))
		}
		s.exec("INSERT INTO accounts (account_number, ssn, note, balance) VALUES (?, ?, ?, ?), ('4002', NULL, NULL, NULL), ('4003', '', '', 0)", "4001", "900-12-3456", "called twice", 7)
		s.exec("UPDATE accounts SET note = ? WHERE name IS NULL", "a note in passing")
		s.want("4001|900-12-3456|a note in passing|7\n4002|<nil>|a note in passing|<nil>\n4003||a note in passing|0", "SELECT account_number, ssn, note, balance FROM accounts ORDER BY 1")

		like := strings.Repeat("a", 200)
		clear := []struct {
			column string
			value  any
		}{
			{"ssn", []byte("900-12-3456")},
			{"ssn", []byte("")},
			{"ssn", []byte{2, 4, 0x78}},
			{"ssn", []byte("\x02\x04\x77" + like)},
			{"ssn", []byte("AgR4" + like)},
			{"balance", []byte("7")},
			{"note", "called twice"},
			{"note", ""},
			{"note", "AgR4"},
			{"note", "agr4" + like},
			{"note", "AgR5" + like},
			{"note", " AgR4" + like},
		}
		for _, c := range clear {
			if !s.refuses("UPDATE accounts SET "+c.column+" = ? WHERE account_number = '4001'", c.value) {
				t.Errorf("the server takes %q into %s", c.value, c.column)
			}
		}
		if len(clear) != 12 {
			t.Error("the number of cases changed")
		}

		room, err := server.Named(s.server.Name)
		if err != nil {
			t.Fatal(err)
		}
		schema := map[bool]string{true: "SELECT current_schema()", false: "SELECT database()"}[s.postgres()]
		var name string
		if err := s.bare.QueryRow(schema).Scan(&name); err != nil {
			t.Fatal(err)
		}
		known, err := room.Guards(t.Context(), s.bare, name, "accounts")
		want := map[string]bool{list[0].Name(): true, list[1].Name(): true, list[2].Name(): true}
		if err != nil || !maps.Equal(known, want) {
			t.Errorf("the catalog has %v, %v; want %v", known, err, want)
		}
		s.bareExec(room.DropGuard(list[0]))
		if s.refuses("UPDATE accounts SET ssn = ? WHERE account_number = '4001'", []byte("clear")) {
			t.Error("a dropped guard holds")
		}
	})
}

func TestAGuardTakesEveryFormThatThePolicyReads(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		text := strings.Replace(legacyPolicy, "pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}", "pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}, commitment: require_encrypt_allow_decrypt}", 1)
		sealed, k, arn := s.under(text)
		if got := len(s.guards(text, "accounts")); got != 3 {
			t.Fatalf("%d guards, want 3", got)
		}
		blob := script(t, k, arn, "900-12-3456", map[string]string{"account_number": "4001"})
		encoded := base64.StdEncoding.EncodeToString(blob)
		s.bareExec("INSERT INTO accounts (account_number, ssn, note) VALUES ('4001', ?, ?)", blob, encoded)
		s.bareExec("INSERT INTO accounts (account_number, ssn) VALUES ('4002', ?)", []byte(encoded))
		if _, err := sealed.Exec(s.q("INSERT INTO accounts (account_number, ssn, note) VALUES ('4003', ?, ?)"), "900-12-3456", "note"); err != nil {
			t.Error(err)
		}
		old := append([]byte{1, 0x80, 0x03, 0x78}, make([]byte, 200)...) // as a message of version 1 begins
		s.bareExec("UPDATE accounts SET ssn = ?, note = ? WHERE account_number = '4003'", old, base64.StdEncoding.EncodeToString(old))
		for column, value := range map[string]any{"ssn": []byte("900-12-3456"), "note": "900-12-3456", "balance": []byte("12")} {
			if !s.refuses("UPDATE accounts SET "+column+" = ?", value) {
				t.Errorf("the server takes clear text into %s", column)
			}
		}
	})
}

func TestAPolicyThatLetsClearTextInHasNoGuard(t *testing.T) {
	t.Setenv("SEALSQL_TEST_KEY", "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab")
	p, err := policy.Parse("test", []byte(strings.Replace(policyText, "ssn: {keyring: pii, type: string}", "ssn: {keyring: pii, type: string, plaintext_reads: allow}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, table := range p.Tables() {
		for _, c := range table.Columns {
			if _, ok := server.NewGuard(p, table, c); ok == (c.PlaintextReads == policy.Allow) {
				t.Errorf("%s.%s: a guard: %t", table.Name, c.Name, ok)
			}
			count++
		}
	}
	if count != 4 {
		t.Errorf("%d columns, want 4", count)
	}
}

// TestAGuardReadsCharactersAlikeInEveryCharacterSet matters on MySQL, whose columns of
// characters have sets and collations of their own.
func TestAGuardReadsCharactersAlikeInEveryCharacterSet(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		types := []string{"text", "varchar(2000)"}
		if !s.postgres() {
			types = []string{"text CHARACTER SET latin1 COLLATE latin1_general_ci", "longtext CHARACTER SET utf16", "varchar(2000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "text CHARACTER SET ascii", "text CHARACTER SET ucs2", "text CHARACTER SET gbk"}
		}
		for i, typ := range types {
			table := fmt.Sprintf("notes%d", i)
			text := strings.Replace(policyText, "  people:", "  "+table+":", 1)
			text = strings.Replace(text, "      ssn: {keyring: pii, type: string}\n", "", 1)
			text = strings.Replace(text, "ssn: {keyring: pii, type: string}", "note: {keyring: pii, type: string, storage: base64}", 1)
			s.bareExec("CREATE TABLE " + table + " (id bigint PRIMARY KEY, note " + typ + ")")
			sealed, _, _ := s.under(text)
			if got := len(s.guards(text, table)); got != 1 {
				t.Fatalf("%d guards, want 1", got)
			}
			if _, err := sealed.Exec(s.q("INSERT INTO "+table+" (id, note) VALUES (1, ?)"), "called twice"); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
			if !s.refuses("INSERT INTO "+table+" (id, note) VALUES (2, ?)", "agr4"+strings.Repeat("a", 200)) {
				t.Errorf("%s: takes clear text", typ)
			}
		}
	})
}
