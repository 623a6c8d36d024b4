// Command matrix runs the tests that speak to a server on each server of the
// matrix, and prints a table of how many tests passed. It fails if any failed, or if
// a suite ran no test. Run it with make test-servers, or with the names of servers
// as scripts/servers.sh knows them.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// servers is the matrix.
var servers = []string{"postgres-13", "postgres-14", "postgres-15", "postgres-16", "postgres-17", "postgres-18", "mariadb-10.11", "mariadb-11.8", "mysql-9.7"}

func main() {
	log.SetFlags(0)
	only := flag.String("suites", "", "the suites to run, with commas between; empty for all")
	at := flag.Int("p", runtime.NumCPU(), "how many suites run at a time")
	flag.Parse()
	todo := servers
	if flag.NArg() > 0 {
		todo = flag.Args()
	}
	chosen, err := choose(*only)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "matrix")
	if err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	table, failed, err := run(dir, todo, chosen, *at)
	if err := os.RemoveAll(dir); err != nil {
		log.Print(err)
	}
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("%d suites on %d servers in %s", len(chosen), len(todo), time.Since(began).Round(time.Second))
	print(table)
	if failed > 0 {
		log.Fatalf("%d suites failed", failed)
	}
}

// choose returns the suites of a list with commas between, all for an empty one.
func choose(only string) (chosen []suite, err error) {
	if only == "" {
		return suites, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q; see internal/testing/matrix/suite.go", name)
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

// run builds the suites in a folder, runs each on each server, so many at a time, and
// returns the table.
func run(dir string, servers []string, suites []suite, atATime int) (table [][]string, failed int, err error) {
	programs := make([]program, len(suites))
	for i, s := range suites {
		if programs[i], err = s.build(dir); err != nil {
			return nil, 0, err
		}
	}
	cells := make([][]cell, len(servers))
	var wait sync.WaitGroup
	slots := make(chan struct{}, max(1, atATime))
	for i, server := range servers {
		cells[i] = make([]cell, len(suites))
		for j, p := range programs {
			if !p.isFor(server) {
				cells[i][j] = cell{absent: true}
				continue
			}
			slots <- struct{}{}
			wait.Go(func() {
				defer func() { <-slots }()
				began := time.Now()
				c := p.run(server)
				log.Printf("%s, %s: %d passed, %d failed, %d skipped in %s", server, p.name, c.passed, c.failed, c.skipped, time.Since(began).Round(time.Second))
				if !c.good() {
					log.Print(c.printed)
				}
				cells[i][j] = c
			})
		}
	}
	wait.Wait()
	table = [][]string{{"server"}}
	for _, s := range suites {
		table[0] = append(table[0], s.name)
	}
	for i, server := range servers {
		row := []string{server}
		for _, c := range cells[i] {
			row = append(row, c.String())
			if !c.good() {
				failed++
			}
		}
		table = append(table, row)
	}
	return table, failed, nil
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
