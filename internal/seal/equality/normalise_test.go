package equality_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/seal/equality"
)

func normalisers(t testing.TB, names ...string) equality.Normalisers {
	t.Helper()
	n, err := equality.Parse(names)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// unicodeFile calls line for each line of a data file of Unicode, without comments.
func unicodeFile(t *testing.T, name string, line func(fields []string)) {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	for s.Scan() {
		text, _, _ := strings.Cut(s.Text(), "#")
		if text = strings.TrimSpace(text); text != "" && text[0] != '@' {
			line(strings.Split(text, ";"))
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
}

// characters reads code points in hexadecimal, separated by spaces.
func characters(t *testing.T, s string) string {
	t.Helper()
	var out strings.Builder
	for _, f := range strings.Fields(s) {
		r, err := strconv.ParseUint(f, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteRune(rune(r))
	}
	return out.String()
}

func TestNFKCIsUnicodes(t *testing.T) {
	n, count := normalisers(t, "nfkc"), 0
	unicodeFile(t, "NormalizationTest.txt", func(f []string) {
		want := characters(t, f[3]) // c4 is the form KC of c1 to c5
		for _, c := range f[:5] {
			if got := string(n.Apply([]byte(characters(t, c)))); got != want {
				t.Errorf("%s becomes %+q, want %+q", c, got, want)
			}
			count++
		}
	})
	if count != 95_370 {
		t.Errorf("%d texts compared, want 95370", count)
	}
}

func TestCaseFoldingIsUnicodesFullOne(t *testing.T) {
	n, count := normalisers(t, "casefold"), 0
	unicodeFile(t, "CaseFolding.txt", func(f []string) {
		if status := strings.TrimSpace(f[1]); status != "C" && status != "F" {
			return // S is for simple folding, T for Turkic texts
		}
		count++
		if got, want := string(n.Apply([]byte(characters(t, f[0])))), characters(t, f[2]); got != want {
			t.Errorf("%s becomes %+q, want %+q", f[0], got, want)
		}
	})
	if count != 1_530 {
		t.Errorf("%d characters compared, want 1530", count)
	}
}

// TestNormalisingTwiceChangesNothing goes over every character of the planes that have
// any but private ones, alone and between others.
func TestNormalisingTwiceChangesNothing(t *testing.T) {
	const planes = 0x40000
	count := 0
	for _, names := range [][]string{{"nfkc"}, {"nfkc", "casefold", "trim"}} {
		n := normalisers(t, names...)
		for r := rune(0); r < planes; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			for _, text := range []string{string(r), "a" + string(r) + "\u0345\u0301"} {
				once := bytes.Clone(n.Apply([]byte(text)))
				if twice := n.Apply(once); !bytes.Equal(once, twice) {
					t.Errorf("%v: %+q becomes %+q, then %+q", names, text, once, twice)
				}
				count++
			}
		}
	}
	if want := 2 * 2 * (planes - 2048); count != want {
		t.Errorf("%d texts, want %d", count, want)
	}
}

func TestPartsOfATextAreCharacters(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"first 2", "日本語", "日本"},
		{"last 2", "日本語", "本語"},
		{"first 9", "ab", "ab"},
		{"last 9", "ab", "ab"},
		{"last 1", "", ""},
		{"first 1", "\xff\xfe", "\xff"}, // no UTF-8: each byte is a character
		{"last 1", "\xff\xfe", "\xfe"},
		{"trim", "\u2003\u00a0x y\u0085", "x y"},
		{"digits", "(020) 7946-0958", "02079460958"},
		{"digits", "١٢٣", ""}, // after nfkc either
	}
	for _, c := range cases {
		if got := string(normalisers(t, c.name).Apply([]byte(c.text))); got != c.want {
			t.Errorf("%s of %+q is %+q, want %+q", c.name, c.text, got, c.want)
		}
	}
	if len(cases) != 10 {
		t.Error("the number of cases changed")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	cases := map[string][]string{
		`unknown normaliser "lower"`:                {"lower"},
		`unknown normaliser "NFKC"`:                 {"NFKC"},
		`duplicate normaliser trim; remove one`:     {"trim", "trim"},
		`normaliser "first" needs a number`:         {"first"},
		`normaliser "first 0" needs a number`:       {"first 0"},
		`normaliser "last 1001" needs a number`:     {"last 1001"},
		`normaliser "last -1" needs a number`:       {"last -1"},
		`normaliser "last 04" needs a number`:       {"last 04"},
		`normaliser "last 4 digits" needs a number`: {"last 4 digits"},
	}
	for want, names := range cases {
		if _, err := equality.Parse(names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", names, err, want)
		}
	}
	if len(cases) != 9 {
		t.Error("the number of cases changed")
	}
}
