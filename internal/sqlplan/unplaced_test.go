package sqlplan

import "testing"

// TestAValueIsNotWrittenWithoutItsTerms: a rule that takes a value apart and finds no
// place for a term has the text refused.
func TestAValueIsNotWrittenWithoutItsTerms(t *testing.T) {
	c := &Column{Table: &Table{Name: "people"}, Name: "email", Term: &Term{Column: "email_eq"}, Other: &Term{Column: "email_new"}}
	for placed := range 3 {
		a := &analysis{text: "UPDATE people SET email = $1"}
		list := a.newMirrors(nil, c, nil)
		if len(list) != 2 {
			t.Fatalf("%d terms, want 2", len(list))
		}
		for _, m := range list[:placed] {
			m.placed = true
		}
		a.checkMirrors()
		if refused := a.err != nil; refused != (placed < 2) {
			t.Errorf("with %d of 2 terms in place: %v", placed, a.err)
		}
	}
}
