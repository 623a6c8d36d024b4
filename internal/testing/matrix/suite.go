package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// suite is tests that run on one server.
type suite struct {
	name   string
	module string // the folder of its go.mod
	pkg    string // its folder within the module
	args   []string
	// only begins the names of the servers that the suite is for; empty for all.
	only string
	// within counts the tests of other people's suites, which the tests run.
	within bool
}

var suites = []suite{
	{name: "integration", module: ".", pkg: "internal/integration", args: []string{"-test.skip=^TestCorpusOnServers$"}},
	{name: "conformance", module: "interop", pkg: "conformance", args: []string{"-test.run=^Test(Pgx|MySQL)$"}, within: true},
	{name: "corpus", module: ".", pkg: "internal/integration", args: []string{"-test.run=^TestCorpusOnServers$"}},
	{name: "sealpgx", module: ".", pkg: "sealpgx", only: "postgres"},
	{name: "rekey", module: ".", pkg: "rekey/internal/engine"},
	{name: "short drills", module: ".", pkg: "internal/testing/drills"},
}

// program is a suite's test program.
type program struct {
	suite
	path string
}

// build compiles the suite's tests into a folder, once for all servers.
func (s suite) build(dir string) (program, error) {
	p := program{suite: s, path: filepath.Join(dir, strings.ReplaceAll(s.pkg, "/", "-")+".test")}
	if _, err := os.Stat(p.path); err == nil {
		return p, nil // for a suite of the same package
	}
	cmd := exec.Command("go", "test", "-c", "-o", p.path, "./"+s.pkg)
	cmd.Dir = s.module
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("building %s: %w\n%s", s.name, err, out)
	}
	return p, nil
}

// isFor reports whether the suite runs on a server.
func (s suite) isFor(server string) bool { return strings.HasPrefix(server, s.only) }

// environment names the server for package testdb, and leaves out the other dialect.
func environment(server string) []string {
	if strings.HasPrefix(server, "postgres") {
		return []string{"SEALSQL_POSTGRES=" + server, "SEALSQL_MYSQL=none"}
	}
	return []string{"SEALSQL_POSTGRES=none", "SEALSQL_MYSQL=" + server}
}

// run runs the program on a server.
func (p program) run(server string) cell {
	args := append([]string{"tool", "test2json", p.path, "-test.v=test2json", "-test.timeout=15m"}, p.args...)
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = filepath.Join(p.module, p.pkg), append(os.Environ(), environment(server)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	c := count(out, p.within)
	if err != nil && c.failed == 0 { // a panic, or what is checked after the tests
		c.failed++
		c.printed = errors.Join(err, errors.New(stderr.String()), errors.New(c.printed)).Error()
	}
	return c
}
