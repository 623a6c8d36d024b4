package driver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestAnExplanationHoldsNoProtectedLiteral, however it is printed; nor does a refusal.
func TestAnExplanationHoldsNoProtectedLiteral(t *testing.T) {
	r := newReloading(t)
	c, err := driver.Of(r.db)
	if err != nil {
		t.Fatal(err)
	}
	refused, ran := 0, 0
	for _, text := range []string{
		"INSERT INTO accounts (account_number, ssn) VALUES ('1', '900-12-3456')",
		"INSERT INTO accounts (account_number, ssn) VALUES ('1', '900-12-3456'), ('2', '900-12-3456')",
		"UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = '1'",
		"UPDATE accounts SET ssn = '900-12-3456'",
		"SELECT ssn FROM accounts WHERE ssn = '900-12-3456'",
		"UPDATE accounts SET note = ssn WHERE ssn IN ('900-12-3456')",
		"UPDATE accounts SET ssn = upper('900-12-3456')",
	} {
		x, err := c.Explain(t.Context(), text)
		values := []any{x, struct{ hidden *driver.Explanation }{x}}
		if errors.Is(err, driver.ErrRefused) {
			refused++
			values = []any{err, struct{ hidden error }{err}}
		} else if err != nil {
			t.Fatal(err)
		} else {
			values = append(values, *x)
		}
		for _, v := range values {
			var printed strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				fmt.Fprintf(&printed, verb, v)
			}
			if b, err := json.Marshal(v); err == nil {
				printed.Write(b)
			}
			if s := printed.String(); strings.Contains(s, "900-12") || strings.Contains(s, fmt.Sprintf("%x", "900-12")) {
				t.Errorf("%s: a %T prints the literal", text, v)
			}
			ran++
		}
	}
	if ran != 4*3+3*2 || refused != 3 {
		t.Errorf("%d values, %d refusals", ran, refused)
	}
}
