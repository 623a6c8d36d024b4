package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
)

// rollingApp is one process of the application that [TestRolling] deploys: the release, the
// process's number and the numbers of rows and of clients are its arguments. It writes "at N" for the
// statements that it sent, and in the end its [rollingReport]. It stops when its input ends.
type rollingApp struct {
	release   release
	process   int
	rows      int64
	clients   int
	dialect   string
	db        *sql.DB
	stop      chan struct{}
	migrated  atomic.Int64 // when the schema was ready for the release, in Unix nanoseconds; 0: not yet
	done      atomic.Int64
	figures   figures
	mu        sync.Mutex
	complaint []string
}

// rollingReport is what a process says when it stops.
type rollingReport struct {
	Figures map[string]int64
	// Sum is by how much its writes have raised the counters of the rows.
	Sum int64
	// Complaints are the first texts of what went wrong.
	Complaints []string
}

// rollingThought is how long a client thinks before it goes on: the machine has other work.
const rollingThought = 2 * time.Millisecond

// rollingPatience is for how long a refusal may outlive its cause: the catalog is asked once a
// second, by a process that many statements may hold up.
const rollingPatience = 10 * time.Second

func rollingProcess() {
	number := func(i int) int {
		n, err := strconv.Atoi(os.Args[i])
		if err != nil {
			panic(err)
		}
		return n
	}
	a := &rollingApp{release: releases[number(1)], process: number(2), rows: int64(number(3)), clients: number(4), dialect: os.Args[5], stop: make(chan struct{})}
	name := mysql.DriverName
	if a.dialect == "postgres" {
		name = postgres.DriverName
	}
	db, err := sql.Open(name, os.Getenv("SEALSQL_DSN")) // the policy is that of $SEALSQL_POLICY
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(a.clients)
	db.SetMaxIdleConns(a.clients)
	a.db = db
	if os.Args[6] == "ready" {
		a.migrated.Store(1)
	}
	var clients sync.WaitGroup
	all := make([]*rollingClient, a.clients)
	for i := range all {
		all[i] = newRollingClient(a, i)
		clients.Go(all[i].work)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		a.migrated.Store(time.Now().UnixNano())
	}
	close(a.stop)
	clients.Wait()
	a.report(all)
}

func (a *rollingApp) report(all []*rollingClient) {
	stats, err := driver.Stats(a.db)
	if err != nil {
		panic(err)
	}
	for kind, n := range stats.Events {
		switch kind {
		case alert.PlaintextRead: // the policy's plaintext_reads: allow
			a.figures.add("clear values read", int64(n))
		case alert.Refused:
			a.figures.add("events of refusals", int64(n))
		default:
			a.wrong("false alerts", "%d events of kind %s", n, kind)
			a.figures.add("false alerts", int64(n)-1)
		}
	}
	r := rollingReport{Figures: a.figures.n, Complaints: a.complaint}
	for _, c := range all {
		r.Sum += c.sum
	}
	if err := a.db.Close(); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		panic(err)
	}
}

// wrong counts what must not happen.
func (a *rollingApp) wrong(kind, format string, args ...any) {
	a.figures.add(kind, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.complaint) < 5 {
		a.complaint = append(a.complaint, fmt.Sprintf(kind+": "+format, args...))
	}
}

// failed sorts an error. It reports whether the statement is to be sent again.
func (a *rollingApp) failed(what string, began time.Time, err error) (again bool) {
	ready := a.migrated.Load()
	switch {
	case transient(err):
		a.figures.add("sent again after a deadlock", 1)
		return true
	case ready == 0 || began.UnixNano() < ready:
		a.figures.add("too early for the schema", 1)
		time.Sleep(5 * time.Millisecond)
	case errors.Is(err, driver.ErrRefused) && ready > 1 && began.Before(time.Unix(0, ready).Add(rollingPatience)):
		a.figures.add("refused until the catalog was read", 1)
		time.Sleep(20 * time.Millisecond)
	case errors.Is(err, driver.ErrRefused):
		a.wrong("refused", "%s: %v", what, err)
	default:
		a.wrong("statements that failed", "%s: %v", what, err)
	}
	return false
}

// rollingClient reads and writes rows. What a row holds tells which counter it was written
// with, so that any process knows what it has to read.
type rollingClient struct {
	a        *rollingApp
	random   *rand.Rand
	nextID   int64
	own      []int64
	sum      int64 // what the client's writes have raised the rows' counters by
	prepared map[string]*sql.Stmt
}

func newRollingClient(a *rollingApp, number int) *rollingClient {
	c := &rollingClient{a: a, random: rand.New(rand.NewPCG(uint64(a.process), uint64(number))), nextID: a.rows + int64(a.process*a.clients+number)*100000} //nolint:gosec // a drill
	if number%2 == 0 {
		c.prepared = map[string]*sql.Stmt{}
	}
	return c
}

func (c *rollingClient) work() {
	for {
		select {
		case <-c.a.stop:
			return
		default:
		}
		switch c.random.IntN(8) {
		case 0:
			if int64(len(c.own)) < max(4, c.a.rows/10) {
				c.insert()
			}
		case 1, 2:
			c.update(c.some(), false)
		case 3:
			c.update(c.some(), true)
		case 4:
			if c.a.release.phone && int64(len(c.own)) < max(4, c.a.rows/10) {
				c.visit()
			}
		case 5:
			c.find(c.some())
		}
		c.read(c.some())
		time.Sleep(rollingThought)
	}
}

// some is the id of a row.
func (c *rollingClient) some() int64 {
	if len(c.own) > 0 && c.random.IntN(4) == 0 {
		return c.own[c.random.IntN(len(c.own))]
	}
	return c.random.Int64N(c.a.rows)
}

// rollingBase is a *sql.DB or a *sql.Tx.
type rollingBase interface {
	PrepareContext(ctx context.Context, text string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row
}

// statement prepares a text once.
func (c *rollingClient) statement(text string) (*sql.Stmt, error) {
	if s := c.prepared[text]; s != nil {
		return s, nil
	}
	s, err := c.a.db.PrepareContext(context.Background(), text)
	if err == nil {
		c.prepared[text] = s
	}
	return s, err
}

func (c *rollingClient) exec(on rollingBase, text string, args ...any) (int64, error) {
	c.sent()
	text = forDialect(c.a.dialect, text)
	var res sql.Result
	var err error
	if tx, ok := on.(*sql.Tx); c.prepared == nil || ok && tx != nil {
		res, err = on.ExecContext(context.Background(), text, args...)
	} else {
		var s *sql.Stmt
		if s, err = c.statement(text); err == nil {
			res, err = s.Exec(args...)
		}
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *rollingClient) row(on rollingBase, into []any, text string, args ...any) error {
	c.sent()
	text = forDialect(c.a.dialect, text)
	if _, ok := on.(*sql.Tx); c.prepared == nil || ok {
		return on.QueryRowContext(context.Background(), text, args...).Scan(into...)
	}
	s, err := c.statement(text)
	if err != nil {
		return err
	}
	return s.QueryRow(args...).Scan(into...)
}

// sent tells how far the process is.
func (c *rollingClient) sent() {
	if n := c.a.done.Add(1); n%20 == 0 {
		fmt.Printf("at %d\n", n)
	}
}

// again runs one thing until the server has nothing against it but that it be sent again.
func (c *rollingClient) again(what string, f func() error) bool {
	for {
		began := time.Now()
		err := f()
		if err == nil {
			c.a.figures.add(what, 1)
			return true
		}
		if !c.a.failed(what, began, err) {
			return false
		}
	}
}

// insert writes a row, with the columns that the release knows.
func (c *rollingClient) insert() {
	id := c.nextID
	names := append([]string{"id", "n"}, c.a.release.columns()...)
	args := append([]any{id, int64(0)}, c.a.release.values(id, 0)...)
	text := "INSERT INTO people (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
	if c.again("inserts", func() error { _, err := c.exec(c.a.db, text, args...); return err }) {
		c.nextID++
		c.own = append(c.own, id)
	}
}

// update raises a row's counter and writes what goes with it, in a transaction or if the
// counter is still what it was.
func (c *rollingClient) update(id int64, locked bool) {
	text := "UPDATE people SET n = ?, " + strings.Join(c.a.release.columns(), " = ?, ") + " = ? WHERE id = ? AND n = ?"
	args := func(n int64) []any {
		return append(append([]any{n + 1}, c.a.release.values(id, n+1)...), id, n)
	}
	wrote := int64(0)
	ok := c.again("updates", func() (err error) {
		var n int64
		if !locked {
			if err = c.row(c.a.db, []any{&n}, "SELECT n FROM people WHERE id = ?", id); err == nil {
				wrote, err = c.exec(c.a.db, text, args(n)...)
			}
			return err
		}
		tx, err := c.a.db.Begin()
		if err != nil {
			return err
		}
		if err = c.row(tx, []any{&n}, "SELECT n FROM people WHERE id = ? FOR UPDATE", id); err == nil {
			wrote, err = c.exec(tx, text, args(n)...)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	})
	switch {
	case !ok:
	case wrote == 1:
		c.sum++
	case locked:
		c.a.wrong("lost writes", "a locked row %d was updated %d times", id, wrote)
	default:
		c.a.figures.add("updates that met another", 1)
	}
}

// read reads a row and compares it with what its counter says.
func (c *rollingClient) read(id int64) {
	names := c.a.release.reads()
	var n int64
	shown := make([]sql.NullString, len(names))
	into := []any{&n}
	for i := range shown {
		into = append(into, &shown[i])
	}
	text := "SELECT n, " + strings.Join(names, ", ") + " FROM people WHERE id = ?"
	if !c.again("reads", func() error { return c.row(c.a.db, into, text, id) }) {
		return
	}
	for i, name := range names {
		if got := shown[i]; !c.a.release.right(name, id, n, got) {
			c.a.wrong("wrong values", "%s of row %d at %d is %q", name, id, n, got.String)
		}
	}
}

// find looks up a row by its e-mail, as long as nobody else writes it.
func (c *rollingClient) find(id int64) {
	for attempt := 0; attempt < 5; attempt++ {
		var before, after, found int64
		missed := false
		if !c.again("look-ups", func() error {
			if err := c.row(c.a.db, []any{&before}, "SELECT n FROM people WHERE id = ?", id); err != nil {
				return err
			}
			err := c.row(c.a.db, []any{&found}, "SELECT id FROM people WHERE "+c.a.release.by()+" = ?", rolled("email", id, before))
			if missed = errors.Is(err, sql.ErrNoRows); !missed {
				return err
			}
			return c.row(c.a.db, []any{&after}, "SELECT n FROM people WHERE id = ?", id)
		}) {
			return
		}
		switch {
		case !missed && found != id:
			c.a.wrong("wrong values", "row %d was found for %d", found, id)
		case missed && after == before:
			c.a.wrong("failed look-ups", "row %d at %d, by %s", id, before, c.a.release.by())
		}
		if !missed || after == before {
			return
		}
	}
}

// visit writes a row of the table that is new in the release, and reads it.
func (c *rollingClient) visit() {
	id := c.nextID
	if !c.again("visits", func() error {
		_, err := c.exec(c.a.db, "INSERT INTO visits (id, note) VALUES (?, ?)", id, rolled("visit", id, 0))
		return err
	}) {
		return
	}
	c.nextID++
	var note string
	if c.again("visits read", func() error { return c.row(c.a.db, []any{&note}, "SELECT note FROM visits WHERE id = ?", id) }) && note != rolled("visit", id, 0) {
		c.a.wrong("wrong values", "visit %d is %q", id, note)
	}
}
