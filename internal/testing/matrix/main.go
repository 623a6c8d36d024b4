// Command matrix runs the tests that speak to a server on each server of the
// matrix, and prints a table of how many tests passed. It fails if any failed, or if
// a suite ran no test. Run it with make test-servers, or with the names of servers
// as scripts/servers.sh knows them.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// servers is the matrix.
var servers = []string{"postgres-13", "postgres-14", "postgres-15", "postgres-16", "postgres-17", "postgres-18", "mariadb-10.11", "mariadb-11.8", "mysql-9.7"}

// suite is tests that run on one server.
type suite struct {
	name string
	dir  string // of the module
	args []string
}

var suites = []suite{
	{"corpus", ".", []string{"-run=^TestCorpusOnServers$", "./internal/integration"}},
	{"integration", ".", []string{"-skip=^TestCorpusOnServers$", "./internal/integration"}},
	{"rekey", ".", []string{"./rekey/internal/engine"}},
	{"short drills", ".", []string{"./internal/testing/drills"}},
	{"conformance", "interop", []string{"-run=^Test(Pgx|MySQL)$", "./conformance"}},
}

// cell is what a suite did on a server.
type cell struct{ passed, failed, skipped int }

func (c cell) String() string {
	switch {
	case c.failed > 0:
		return fmt.Sprintf("%d FAILED of %d", c.failed, c.failed+c.passed)
	case c.passed == 0:
		return "NOTHING RAN"
	}
	return fmt.Sprint(c.passed)
}

func (c cell) good() bool { return c.failed == 0 && c.passed > 0 }

func main() {
	log.SetFlags(0)
	only := flag.String("suites", "", "the suites to run, with commas between; empty for all")
	flag.Parse()
	todo := servers
	if flag.NArg() > 0 {
		todo = flag.Args()
	}
	chosen := slices.DeleteFunc(slices.Clone(suites), func(s suite) bool {
		return *only != "" && !slices.Contains(strings.Split(*only, ","), s.name)
	})
	if len(chosen) == 0 {
		log.Fatalf("there is no suite among %q", *only)
	}
	table, bad := [][]string{{"server"}}, 0
	for _, s := range chosen {
		table[0] = append(table[0], s.name)
	}
	for _, server := range todo {
		row := []string{server}
		for _, s := range chosen {
			began := time.Now()
			c, err := s.run(server)
			if err != nil {
				log.Fatalf("%s on %s: %v", s.name, server, err)
			}
			log.Printf("%s, %s: %d passed, %d failed, %d skipped in %s", server, s.name, c.passed, c.failed, c.skipped, time.Since(began).Round(time.Second))
			if !c.good() {
				bad++
			}
			row = append(row, c.String())
		}
		table = append(table, row)
	}
	print(table)
	if bad > 0 {
		log.Fatalf("%d suites failed", bad)
	}
}

// print writes a table as docs/SQL.md has it.
func print(table [][]string) {
	for i, row := range table {
		fmt.Println("| " + strings.Join(row, " | ") + " |")
		if i == 0 {
			fmt.Println("|---|" + strings.Repeat("--:|", len(row)-1))
		}
	}
}

// environment names the server for package testdb, and leaves out the other dialect.
func environment(server string) []string {
	if strings.HasPrefix(server, "postgres") {
		return []string{"SEALSQL_POSTGRES=" + server, "SEALSQL_MYSQL=none"}
	}
	return []string{"SEALSQL_POSTGRES=none", "SEALSQL_MYSQL=" + server}
}

// run runs a suite on a server and prints what the failed tests printed.
func (s suite) run(server string) (cell, error) {
	cmd := exec.Command("go", append([]string{"test", "-json", "-count=1", "-timeout=15m"}, s.args...)...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), environment(server)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	c, printed := count(out)
	if err != nil && c.failed == 0 {
		return c, fmt.Errorf("%w\n%s%s", err, stderr.String(), printed)
	}
	if c.failed > 0 {
		log.Print(printed)
	}
	return c, nil
}

// count reads go test's JSON: how many tests ended how, subtests too, and what
// the failed tests and the package itself printed.
func count(out []byte) (c cell, printed string) {
	text := map[string]*strings.Builder{}
	var failed strings.Builder
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
		switch e.Action {
		case "output":
			text[e.Test].WriteString(e.Output)
		case "pass", "skip", "fail":
			if e.Test == "" {
				continue
			}
			switch e.Action {
			case "pass":
				c.passed++
			case "skip":
				c.skipped++
			case "fail":
				c.failed++
				failed.WriteString(text[e.Test].String())
			}
			delete(text, e.Test)
		}
	}
	if failed.Len() == 0 && text[""] != nil {
		return c, text[""].String()
	}
	return c, failed.String()
}
