package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The mutants themselves take minutes: make mutants. A text that the code no
// longer has is found here.
func TestEveryMutantFindsTheTextThatItChanges(t *testing.T) {
	for _, m := range mutants {
		src, err := os.ReadFile(filepath.Join("..", "..", "..", "driver", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), m.old); n == 0 || m.old == m.new {
			t.Errorf("%s: %s has its text %d times", m.what, m.file, n)
		}
	}
	all := leaks
	for _, m := range losses {
		all = append(all, m.leak)
	}
	for _, m := range all {
		for _, e := range m.edits {
			src, err := os.ReadFile(filepath.Join("..", "..", "..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(src), e.old) || e.old == e.new {
				t.Errorf("%s: %s does not have its text", m.what, e.file)
			}
		}
	}
	if len(mutants) < 20 || len(leaks) < 25 || len(losses) < 3 {
		t.Errorf("%d mutants", len(mutants))
	}
}
