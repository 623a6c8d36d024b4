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
	if len(mutants) < 20 {
		t.Errorf("%d mutants", len(mutants))
	}
}
