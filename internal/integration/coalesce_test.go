package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestALiteralInPlaceOfNull: COALESCE of a protected column and a literal shows the
// literal for NULL alone, under the name that the server gives to it.
func TestALiteralInPlaceOfNull(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for id, v := range map[string]any{"a": nil, "b": "", "c": ssn1, "d": nil} {
			var n any
			if v == ssn1 {
				n = 7
			}
			s.exec("INSERT INTO accounts (account_number, name, ssn, note, balance) VALUES (?, ?, ?, ?, ?)", id, v, v, v, n)
		}
		s.want("a|none\nb|\nc|"+ssn1+"\nd|none", "SELECT account_number, COALESCE(ssn, 'none') FROM accounts ORDER BY 1")
		s.want("a|\nb|\nc|"+ssn1+"\nd|", "SELECT account_number, coalesce(a.note, '') AS note FROM accounts a ORDER BY 1")
		s.want("none|a|<nil>|-1\n|b||-1\n"+ssn1+"|c|"+ssn1+"|7\nnone|d|<nil>|-1", "SELECT coalesce(ssn, 'none') AS s, account_number, note, coalesce(balance, -1) FROM accounts ORDER BY account_number")
		s.want("none", "SELECT coalesce(ssn, 'none') FROM accounts WHERE account_number = ?", "a")
		s.want("none|1", "SELECT coalesce(ssn, 'none'), 1 FROM accounts WHERE ssn IS NULL AND account_number <> 'd'")
		names := []string{"SELECT coalesce({c}, 'none'), COALESCE ( {c} , '' ) AS two FROM accounts WHERE 1 = 0"}
		if !s.postgres() {
			names = append(names, "SELECT ifnull({c}, 'none') FROM accounts WHERE 1 = 0", "SELECT IFNULL(accounts.{c}, '') x FROM accounts LIMIT 0")
		}
		for _, text := range names {
			want, err := s.bare.Query(strings.ReplaceAll(text, "{c}", "note"))
			if err != nil {
				t.Fatal(err)
			}
			wanted, _ := want.Columns()
			_ = want.Close()
			got, err := s.sealed.Query(strings.ReplaceAll(text, "{c}", "note"))
			if err != nil {
				t.Fatal(err)
			}
			if names, _ := got.Columns(); fmt.Sprint(names) != fmt.Sprint(wanted) {
				t.Errorf("%s: columns %q, want %q", text, names, wanted)
			}
			_ = got.Close()
		}
		for _, text := range []string{"SELECT coalesce(ssn, name) FROM accounts", "SELECT coalesce(ssn, ?) FROM accounts", "SELECT coalesce(balance, 'x') FROM accounts", "SELECT x FROM (SELECT coalesce(ssn, '') AS x FROM accounts) q",
			"SELECT DISTINCT coalesce(ssn, '') FROM accounts", "SELECT coalesce(ssn, '') FROM accounts UNION SELECT name FROM other", "SELECT upper(coalesce(ssn, '')) FROM accounts", "SELECT coalesce(ssn, '') FROM accounts ORDER BY 1",
			"INSERT INTO other (text_column) SELECT coalesce(ssn, '') FROM accounts"} {
			args := []any{}
			if strings.Contains(text, "?") {
				args = append(args, "x")
			}
			if _, err := s.sealed.Exec(s.q(text), args...); err == nil {
				t.Errorf("%s was sent", text)
			}
		}
	})
}
