package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// TestQuickstart runs the example in its own process and against real servers.
func TestQuickstart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policyText), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QUICKSTART_KEY", "") // restored afterwards; the example sets it
	ran := 0
	check := func(name string, o options) {
		ran++
		if err := run(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("in-process", options{})
	for _, s := range testdb.Each(t) {
		_, dsn := s.DSN(s.Addr(), s.NewDatabase(t))
		check(s.Name, options{dsn: dsn, policy: path, fakeKMS: true})
	}
	if ran != 3 {
		t.Errorf("ran %d", ran)
	}
}
