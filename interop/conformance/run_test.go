package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outcome is how one test ended: pass, fail or skip.
type outcomes map[string]string

// conform runs a suite twice and compares.
func conform(t *testing.T, name string) {
	s := suites[name]
	if s.module == "" {
		t.Fatalf("there is no suite %s", name)
	}
	from := moduleDir(t, s)
	if s.generate != nil {
		generated := t.TempDir()
		s.generate(t, from, generated)
		s.module, from = s.imported, generated
	}
	bare, bareOut := run(t, s, from, false)
	sealed, sealedOut := run(t, s, from, true)
	if first := differing(bare, sealed); slices.ContainsFunc(first, func(test string) bool { return s.differ[test] == "" }) {
		// Some of the suites' tests measure time: what differs must do so twice.
		t.Logf("%v differ; once more", first)
		bare, bareOut = run(t, s, from, false)
		sealed, sealedOut = run(t, s, from, true)
		for test := range bare {
			if !slices.Contains(first, test) && bare[test] != sealed[test] {
				t.Logf("%s differs the second time only", test)
				sealed[test] = bare[test]
			}
		}
	}
	t.Logf("%-10s %s", "bare", bare.summary())
	t.Logf("%-10s %s", "sealsql", sealed.summary())
	different := differing(bare, sealed)
	for _, test := range different {
		if why, explained := s.differ[test]; explained {
			t.Logf("%s: %s bare, %s through sealsql: %s", test, bare[test], sealed[test], why)
			continue
		}
		t.Errorf("%s: %s bare, %s through sealsql\n%s", test, or(bare[test], "not run"), or(sealed[test], "not run"), sealedOut[test]+bareOut[test])
	}
	t.Logf("%-10s %d, of which %d are explained", "different", len(different), len(s.differ))
	for test := range s.differ {
		if !slices.Contains(different, test) {
			t.Errorf("%s ends as it does bare: take it out of the suite's differences", test)
		}
	}
	for _, test := range union(bare, nil) {
		if bare[test] != "pass" && bare[test] != "skip" {
			t.Logf("%s: %s bare\n%s", test, bare[test], bareOut[test])
		}
	}
	if n := bare.count("pass", false); n < s.tests {
		t.Errorf("%d tests pass bare, want at least %d", n, s.tests)
	}
	if n := bare.count("pass", true); n < s.subtests {
		t.Errorf("%d subtests pass bare, want at least %d", n, s.subtests)
	}
}

// differing lists the tests that end in another way through sealsql.
func differing(bare, sealed outcomes) (tests []string) {
	for _, test := range union(bare, sealed) {
		if bare[test] != sealed[test] {
			tests = append(tests, test)
		}
	}
	return tests
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func union(a, b outcomes) []string {
	var names []string
	for _, o := range []outcomes{a, b} {
		for n := range o {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// count counts the tests, or the subtests, with an outcome.
func (o outcomes) count(outcome string, sub bool) int {
	n := 0
	for name, got := range o {
		if got == outcome && strings.Contains(name, "/") == sub {
			n++
		}
	}
	return n
}

func (o outcomes) summary() string {
	var b strings.Builder
	for _, outcome := range []string{"pass", "fail", "skip"} {
		fmt.Fprintf(&b, "%s %d tests + %d subtests  ", outcome, o.count(outcome, false), o.count(outcome, true))
	}
	return b.String()
}

// run copies the suite and runs it once. It returns the outcomes and what each
// test printed.
func run(t *testing.T, s suite, from string, sealed bool) (outcomes, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	copied := filepath.Join(dir, "src")
	copySuite(t, s, from, copied, sealed)
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false", "SEALSQL_CONFORMANCE_KEY="+strings.Repeat("A", 43)+"=")
	if sealed {
		policy, err := filepath.Abs(filepath.Join("testdata", "policy.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "SEALSQL_POLICY="+policy, "SEALSQL_CONFORMANCE_OPENED="+filepath.Join(dir, "opened"))
	}
	args := []string{"test", "-modfile=" + modfile(t, s, dir, copied), "-json", "-count=1", "-timeout=8m", "-trimpath"}
	args = append(args, s.flags...)
	for _, p := range s.pkgs {
		args = append(args, s.module+strings.TrimPrefix(p, "."))
	}
	settings := s.env(t)
	if len(s.args) > 0 {
		args = append(args, "-args")
	}
	for _, a := range s.args {
		args = append(args, os.Expand(a, func(name string) string { return setting(settings, name) }))
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = s.folder(), append(env, settings...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	got, printed := parse(out)
	if len(got) == 0 {
		t.Fatalf("the suite did not run: %v\n%s\n%s", err, stderr.String(), out)
	}
	if _, err := os.Stat(filepath.Join(dir, "opened")); err != nil && sealed && s.openers != nil {
		t.Fatalf("the suite opened no database through sealsql: %v", err)
	}
	return got, printed
}

// setting is what an environment names.
func setting(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// parse reads go test's JSON.
func parse(out []byte) (outcomes, map[string]string) {
	got, printed := outcomes{}, map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		switch e.Action {
		case "pass", "fail", "skip":
			got[e.Test] = e.Action
		case "run":
			got[e.Test] = "did not end"
		case "output":
			printed[e.Test] += e.Output
		}
	}
	return got, printed
}
