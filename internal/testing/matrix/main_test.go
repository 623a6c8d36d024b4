package main

import (
	"os"
	"strings"
	"testing"
)

func TestACellCountsTestsAndSubtests(t *testing.T) {
	out := `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA/b","Output":"b went wrong\n"}
{"Action":"fail","Test":"TestA/b"}
{"Action":"pass","Test":"TestA/c"}
{"Action":"skip","Test":"TestA/d"}
{"Action":"fail","Test":"TestA"}
{"Action":"fail"}
`
	c := count([]byte(out), false)
	if c.passed != 1 || c.failed != 2 || c.skipped != 1 || !strings.Contains(c.printed, "b went wrong") || c.good() {
		t.Errorf("%+v", c)
	}
	if (cell{skipped: 3}).good() {
		t.Error("a suite that ran nothing counts as good")
	}
}

func TestACellCountsTheTestsOfASuiteThatATestRuns(t *testing.T) {
	out := `{"Action":"output","Test":"TestPgx","Output":"    run_test.go:33: bare       pass 47 tests + 152 subtests  fail 0 tests + 0 subtests\n"}
{"Action":"output","Test":"TestPgx","Output":"    run_test.go:34: sealsql    pass 46 tests + 152 subtests  fail 0 tests + 0 subtests\n"}
{"Action":"pass","Test":"TestPgx"}
`
	if c := count([]byte(out), true); c.passed != 198 || !c.good() {
		t.Errorf("%+v", c)
	}
	if c := count([]byte(`{"Action":"pass","Test":"TestPgx"}`), true); c.good() {
		t.Errorf("a suite of which nothing is known counts as good: %+v", c)
	}
}

// TestEveryServerIsFetched: the script knows each server of the matrix.
func TestEveryServerIsFetched(t *testing.T) {
	script, err := os.ReadFile("../../../scripts/servers.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if !strings.Contains(string(script), "\t"+s+")") {
			t.Errorf("scripts/servers.sh does not fetch %s", s)
		}
	}
	if len(servers) != 9 {
		t.Errorf("the matrix has %d servers", len(servers))
	}
}

func TestSuitesAreChosenByName(t *testing.T) {
	for only, want := range map[string]int{"": len(suites), "corpus": 1, "short drills,rekey": 2} {
		if chosen, err := choose(only); err != nil || len(chosen) != want {
			t.Errorf("%q: %d suites, %v", only, len(chosen), err)
		}
	}
	if _, err := choose("corpus,drills"); err == nil {
		t.Error("a suite that does not exist is chosen")
	}
}
