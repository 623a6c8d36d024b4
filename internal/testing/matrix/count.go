package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// cell is what a suite did on a server.
type cell struct {
	passed, failed, skipped int
	printed                 string // by the tests that failed, or by the program itself
	absent                  bool   // the suite is not for the server
}

func (c cell) String() string {
	switch {
	case c.absent:
		return ""
	case c.failed > 0:
		return fmt.Sprintf("%d FAILED of %d", c.failed, c.failed+c.passed)
	case c.passed == 0:
		return "NOTHING RAN"
	}
	return fmt.Sprint(c.passed)
}

func (c cell) good() bool { return c.absent || c.failed == 0 && c.passed > 0 }

// throughSealsql is what package conformance logs of a suite that it ran through sealsql.
var throughSealsql = regexp.MustCompile(`sealsql +pass (\d+) tests \+ (\d+) subtests`)

// count reads go test's JSON: how many tests ended how, subtests too, and what
// the failed tests printed. If the tests ran suites, those suites' tests count as passed.
func count(out []byte, within bool) (c cell) {
	text := map[string]*strings.Builder{}
	var failed strings.Builder
	inner := 0
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if text[e.Test] == nil {
			text[e.Test] = &strings.Builder{}
		}
		switch {
		case e.Action == "output":
			text[e.Test].WriteString(e.Output)
			if m := throughSealsql.FindStringSubmatch(e.Output); m != nil {
				inner += number(m[1]) + number(m[2])
			}
			continue
		case e.Test == "":
			continue
		case e.Action == "pass":
			c.passed++
		case e.Action == "skip":
			c.skipped++
		case e.Action == "fail":
			c.failed++
			failed.WriteString(text[e.Test].String())
		default:
			continue
		}
		delete(text, e.Test)
	}
	if within {
		c.passed = inner
	}
	if c.printed = failed.String(); c.printed == "" && text[""] != nil {
		c.printed = text[""].String()
	}
	return c
}

// number reads digits.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // the expression matches digits only
	return n
}
