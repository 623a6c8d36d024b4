module github.com/sealsql/sealsql/examples

go 1.26

require github.com/sealsql/sealsql v0.0.0

replace github.com/sealsql/sealsql => ../
