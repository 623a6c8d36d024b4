package main

import (
	"io"
	"strings"
	"testing"
)

// TestWrongArgumentsExitWith2, whatever is wrong with them.
func TestWrongArgumentsExitWith2(t *testing.T) {
	for _, line := range []string{"nonsense", "keys nonsense", "explain", "explain a b", "keys rotate", "keys create a b", "keys delete", "lint x", "inspect", "verify --nonsense",
		"lint --output xml", "backfill --shard 3/2 --from a", "report --color never x"} {
		if code := run(strings.Fields(line), strings.NewReader(""), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("sealsql %s: exit code %d, want %d", line, code, exitUsage)
		}
	}
	for _, line := range []string{"", "keys", "--help", "keys --help"} {
		if code := run(strings.Fields(line), strings.NewReader(""), io.Discard, io.Discard); code != exitOK {
			t.Errorf("sealsql %s: exit code %d, want %d", line, code, exitOK)
		}
	}
}
