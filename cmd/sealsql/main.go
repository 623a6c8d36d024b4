// Command sealsql checks policies and moves the values of protected columns: see
// sealsql --help, and docs/OPERATIONS.md for the run-book.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
