package sqlplan

import (
	"strings"
	"testing"
	"unicode"
)

// TestWideNames joins what some server joins, and nothing that is plainly
// another name.
func TestWideNames(t *testing.T) {
	same := [][2]string{
		{"Items", "items"}, {"İtems", "items"}, {"ıtems", "ITEMS"}, {"i̇tems", "İtems"}, {"İşlemler", "işlemler"}, {"İŞLEMLER", "İşlemler"},
		{"Чеки", "чеки"}, {"ЦЕНА", "Цена"}, {"Straße", "STRASSE"}, {"STRAẞE", "straße"}, {"ﬁles", "FILES"}, {"\u212aonto", "konto"},
		{"u\u017fers", "users"}, {"ΣΟΦΟΣ", "σοφος"}, {"σοφός", "ΣΟΦΌΣ"}, {"Ǆ", "ǆ"}, {"ǅ", "Ǆ"}, {"µ", "μ"}, {"Å", "å"}, {"Ա", "ա"}, {"Ꭰ", "ꭰ"}, {"ა", "Ა"}, {"𐐀", "𐐨"},
	}
	for _, x := range same {
		if wide(x[0]) != wide(x[1]) {
			t.Errorf("%s and %s: %q, %q", x[0], x[1], wide(x[0]), wide(x[1]))
		}
	}
	for _, x := range [][2]string{{"items", "item"}, {"cafe", "café"}, {"Чеки", "Чека"}, {"a\xff", "a\xfe"}} {
		if wide(x[0]) == wide(x[1]) {
			t.Errorf("%s is %s", x[0], x[1])
		}
	}
	if len(same) != 23 {
		t.Error("the number of cases changed")
	}
}

// TestWideTakesInEveryCaseMapping tries every letter that has case.
func TestWideTakesInEveryCaseMapping(t *testing.T) {
	tried := 0
	for r := rune(1); r <= unicode.MaxRune; r++ {
		up, low, fold := unicode.ToUpper(r), unicode.ToLower(r), unicode.SimpleFold(r)
		if up == r && low == r && fold == r {
			continue
		}
		tried++
		for _, x := range []rune{up, low, fold, unicode.ToTitle(r)} {
			if wide(string(r)) != wide(string(x)) {
				t.Errorf("%c (%U) and %c (%U): %q, %q", r, r, x, x, wide(string(r)), wide(string(x)))
			}
		}
		for _, s := range []string{strings.ToUpper(string(r)), strings.ToLower(string(r))} {
			if wide(s) != wide(string(r)) {
				t.Errorf("%c (%U) and %s: %q, %q", r, r, s, wide(string(r)), wide(s))
			}
		}
	}
	if tried < 2700 {
		t.Errorf("tried %d letters", tried)
	}
}
