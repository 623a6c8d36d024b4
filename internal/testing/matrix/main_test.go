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
	c, printed := count([]byte(out))
	if (c != cell{passed: 1, failed: 2, skipped: 1}) || !strings.Contains(printed, "b went wrong") || c.good() {
		t.Errorf("%+v, %q", c, printed)
	}
	if (cell{skipped: 3}).good() {
		t.Error("a suite that ran nothing counts as good")
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
