// Package conformance runs the test suites of drivers, libraries and ORMs that
// others wrote, bare and through sealsql with a policy that protects none of their
// tables, and compares the outcomes test by test. Nothing of a suite is kept here:
// it is copied from the module cache when it runs, and its calls that open a
// database are rewritten. sqlboiler's models and their tests are generated first.
//
//	make conformance                 # the drivers' and sqlx's
//	make conformance-orm             # the ORMs'
//	make conformance-pgx             # one of them
package conformance
