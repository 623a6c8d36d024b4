package seal_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/internal/seal"
)

// TestValuesOutliveTheBufferThatTheyWereOpenedIn: what was handed out stays as it is while
// later values are opened in the same buffer, of any length.
func TestValuesOutliveTheBufferThatTheyWereOpenedIn(t *testing.T) {
	f := newFixture(t)
	checked := 0
	for _, name := range []string{"small", "photo", "ssn"} {
		c := f.column(name)
		var buffer []byte
		var opened []any
		var want [][]byte
		for _, n := range []int{1, 11, 300, 11, 5000, 0, 11} {
			plaintext := bytes.Repeat([]byte{'a' + byte(len(want))}, n)
			want = append(want, bytes.Clone(plaintext))
			stored, err := f.funnel.Seal(t.Context(), seal.Value{Column: c, Plaintext: plaintext, Row: row(t, c, ours)})
			if err != nil {
				t.Fatal(err)
			}
			v, err := f.funnel.OpenValue(t.Context(), seal.Request{Column: c, Stored: stored, Row: row(t, c, ours), Rules: values(), Buffer: &buffer})
			if err != nil {
				t.Fatal(err)
			}
			opened = append(opened, v)
		}
		for i, v := range opened {
			if got := fmt.Sprintf("%s", v); got != string(want[i]) {
				t.Errorf("%s: value %d became another", name, i)
			}
			checked++
		}
		if c.Type == "bytes" && opened[5] == nil {
			t.Error("an empty value is NULL")
		}
	}
	if checked != 21 {
		t.Errorf("%d values were checked, want 21", checked)
	}
}
