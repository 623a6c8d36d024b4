package main

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// figures are counted by name.
type figures struct {
	mu sync.Mutex
	n  map[string]int64
}

func (f *figures) add(what string, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == nil {
		f.n = map[string]int64{}
	}
	f.n[what] += n
}

func (f *figures) get(what string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n[what]
}

// String lists the figures, one a line.
func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(f.n)) {
		fmt.Fprintf(&b, "  %-28s %8d\n", what, f.n[what])
	}
	return b.String()
}

// code is the server's code of an error.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*gomysql.MySQLError](err); ok {
		return fmt.Sprint(e.Number)
	}
	return ""
}

// transient reports whether the server asks for the statement to be sent again.
func transient(err error) bool {
	return slices.Contains([]string{"40001", "40P01", "1205", "1213"}, code(err))
}

func duplicate(err error) bool { return slices.Contains([]string{"23505", "1062"}, code(err)) }

// written is what a client wrote to a row of its own.
type written struct{ id, n int64 }

// rotationClient reads and writes rows of its own by e-mail: it knows what each answer
// has to be. Every statement goes through any of the processes.
type rotationClient struct {
	r      *rotation
	number int64
	random *rand.Rand
	nextID int64
	rows   map[string]written // by e-mail
	emails []string           // the keys of rows
}

func newRotationClient(r *rotation, number int) *rotationClient {
	c := &rotationClient{r: r, number: int64(number), random: rand.New(rand.NewPCG(uint64(number), 1)), rows: map[string]written{}} //nolint:gosec // a drill
	for id := int64(0); id < int64(r.rows); id++ {
		if id%int64(r.width) == c.number {
			c.keep(r.email(id), written{id: id})
		}
	}
	c.nextID = int64(r.rows) + c.number
	for c.nextID%int64(r.width) != c.number {
		c.nextID++
	}
	return c
}

func (c *rotationClient) keep(email string, w written) {
	if _, known := c.rows[email]; !known {
		c.emails = append(c.emails, email)
	}
	c.rows[email] = w
}

func (c *rotationClient) forget(email string) {
	delete(c.rows, email)
	i := slices.Index(c.emails, email)
	c.emails[i] = c.emails[len(c.emails)-1]
	c.emails = c.emails[:len(c.emails)-1]
}

// fresh is an id, and an e-mail that no row has.
func (c *rotationClient) fresh() (int64, string) {
	id := c.nextID
	c.nextID += int64(c.r.width)
	return id, fmt.Sprintf("New%d@example.org", id)
}

// some is an e-mail of a row.
func (c *rotationClient) some() string { return c.emails[c.random.IntN(len(c.emails))] }

// spelt is another spelling of an e-mail that the normalisers take for the same.
func (c *rotationClient) spelt(email string) string {
	return []string{email, strings.ToUpper(email), strings.ToLower(email), "  " + email}[c.random.IntN(4)]
}

// any is one of the processes.
func (c *rotationClient) any() *process {
	return c.r.processes[c.random.IntN(len(c.r.processes))]
}

// work goes on until the drill stops.
func (c *rotationClient) work() {
	for {
		select {
		case <-c.r.stop:
			return
		default:
		}
		email := c.some()
		switch c.random.IntN(12) {
		case 0:
			c.insert()
		case 1:
			c.rename(email)
		case 2:
			c.remove(email)
		case 3:
			c.upsert(email)
		case 4:
			_, email = c.fresh()
			c.upsert(email)
		case 5:
			c.again(email)
		case 6:
			c.raceToInsert()
		case 7:
			c.raceToUpsert()
		default:
			c.update(email)
		}
		c.find(c.any(), c.some())
	}
}

// send sends a statement that writes, until the server takes it or refuses it for good.
func (c *rotationClient) send(what, text string, args ...any) (int64, error) {
	for {
		p := c.any()
		p.mu.RLock()
		res, err := p.db.Exec(c.r.q(text), args...)
		p.mu.RUnlock()
		c.r.figures.add("statements", 1)
		if err != nil && transient(err) {
			c.r.figures.add("sent again after a deadlock", 1)
			continue
		}
		if err != nil {
			return 0, err
		}
		c.r.figures.add(what, 1)
		return res.RowsAffected()
	}
}

// must is send for a statement that writes one row.
func (c *rotationClient) must(what, text string, args ...any) {
	n, err := c.send(what, text, args...)
	if err != nil {
		c.wrong("statements that failed", "%s: %v", what, err)
	} else if n != 1 && (what != "upserts" || n != 2) { // MySQL counts a row that is updated twice
		c.wrong("lost writes", "%s wrote %d rows", what, n)
	}
}

func (c *rotationClient) wrong(kind, format string, args ...any) {
	c.r.figures.add(kind, 1)
	c.r.t.Errorf(kind+": "+format, args...)
}

func (c *rotationClient) insert() {
	id, email := c.fresh()
	c.must("inserts", "INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0)", id, email, secretOf(id, 0))
	c.keep(email, written{id: id})
}

func (c *rotationClient) update(email string) {
	w := c.rows[email]
	w.n++
	c.must("updates", "UPDATE users SET secret = ?, n = n + 1 WHERE email = ?", secretOf(w.id, w.n), c.spelt(email))
	c.keep(email, w)
}

func (c *rotationClient) rename(email string) {
	w := c.rows[email]
	_, other := c.fresh()
	c.must("renames", "UPDATE users SET email = ? WHERE email = ?", other, c.spelt(email))
	c.forget(email)
	c.keep(other, w)
	c.absent(email)
}

func (c *rotationClient) remove(email string) {
	c.must("deletes", "DELETE FROM users WHERE email = ?", c.spelt(email))
	c.forget(email)
	c.absent(email)
}

// upserting is the text that writes the row of an e-mail, or makes one.
func (r *rotation) upserting() string {
	if r.postgres() {
		return "INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0) ON CONFLICT (email) DO UPDATE SET secret = EXCLUDED.secret, n = users.n + 1"
	}
	return "INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0) ON DUPLICATE KEY UPDATE secret = VALUES(secret), n = n + 1"
}

func (c *rotationClient) upsert(email string) {
	id, _ := c.fresh()
	w, known := c.rows[email]
	if known {
		w.n++
	} else {
		w = written{id: id}
	}
	c.must("upserts", c.r.upserting(), id, c.spelt(email), secretOf(w.id, w.n))
	c.keep(email, w)
}

// again inserts an e-mail that a row has: it must be refused, with the column's name.
func (c *rotationClient) again(email string) {
	id, _ := c.fresh()
	c.refused(email, func() error {
		_, err := c.send("duplicates let in", "INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0)", id, c.spelt(email), secretOf(id, 0))
		return err
	}())
}

func (c *rotationClient) refused(email string, err error) {
	switch {
	case err == nil:
		c.r.t.Errorf("a duplicate was let in beside row %d", c.rows[email].id)
	case !duplicate(err) || !strings.Contains(err.Error(), "protected column users.email"):
		c.wrong("statements that failed", "a duplicate: %v", err)
	default:
		c.r.figures.add("duplicates refused", 1)
	}
}

// race writes one e-mail twice at the same time, through any two processes.
func (c *rotationClient) race(text string) (email string, ids [2]int64, errs [2]error) {
	ids[0], email = c.fresh()
	ids[1], _ = c.fresh()
	processes := []*process{c.any(), c.any()}
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			for {
				p := processes[i]
				p.mu.RLock()
				_, errs[i] = p.db.Exec(c.r.q(text), ids[i], email, secretOf(ids[0], int64(0)))
				p.mu.RUnlock()
				if errs[i] == nil || !transient(errs[i]) {
					return
				}
			}
		})
	}
	both.Wait()
	return email, ids, errs
}

// raceToInsert has two processes insert one e-mail: one of the two must fail.
func (c *rotationClient) raceToInsert() {
	email, ids, errs := c.race("INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0)")
	c.r.figures.add("races of inserts", 1)
	won := slices.Index(errs[:], nil)
	switch {
	case won < 0:
		c.wrong("statements that failed", "both of a race: %v, %v", errs[0], errs[1])
	case errs[1-won] == nil:
		c.wrong("duplicates let in", "both of a race: rows %d and %d", ids[0], ids[1])
	default:
		c.refused(email, errs[1-won])
	}
	if won >= 0 {
		c.must("updates", "UPDATE users SET secret = ? WHERE email = ?", secretOf(ids[won], 0), email)
		c.keep(email, written{id: ids[won]})
	}
}

// raceToUpsert has two processes upsert one e-mail: one inserts, and the other updates
// its row.
func (c *rotationClient) raceToUpsert() {
	email, ids, errs := c.race(c.r.upserting())
	c.r.figures.add("races of upserts", 1)
	w := written{n: 1}
	for _, err := range errs {
		if err != nil {
			c.wrong("statements that failed", "an upsert: %v", err)
			w.n = 0
		}
	}
	p := c.any()
	p.mu.RLock()
	err := p.db.QueryRow(c.r.q("SELECT id FROM users WHERE email = ?"), email).Scan(&w.id)
	p.mu.RUnlock()
	if err != nil || !slices.Contains(ids[:], w.id) {
		c.wrong("failed look-ups", "after a race of upserts: %v", err)
		return
	}
	// Their secret is not of the row that won.
	w.n++
	c.must("updates", "UPDATE users SET secret = ?, n = n + 1 WHERE email = ?", secretOf(w.id, w.n), email)
	c.keep(email, w)
}

// find looks up a row of the client's by its e-mail.
func (c *rotationClient) find(p *process, email string) {
	want := c.rows[email]
	var got written
	var shown, secret string
	began := time.Now()
	p.mu.RLock()
	err := p.db.QueryRow(c.r.q("SELECT id, n, email, secret FROM users WHERE email = ?"), c.spelt(email)).Scan(&got.id, &got.n, &shown, &secret)
	p.mu.RUnlock()
	c.r.figures.add("statements", 1)
	c.r.figures.add("look-ups", 1)
	switch {
	case err != nil:
		c.wrong("failed look-ups", "of row %d after %s: %v", want.id, time.Since(began), err)
	case got.id != want.id || !strings.EqualFold(strings.TrimSpace(shown), email):
		c.wrong("wrong rows", "row %d was found, not %d", got.id, want.id)
	case got.n != want.n || secret != secretOf(want.id, want.n):
		c.wrong("lost writes", "row %d shows %d writes, not %d", got.id, got.n, want.n)
	}
}

// absent looks up an e-mail that no row has any more.
func (c *rotationClient) absent(email string) {
	p := c.any()
	var id int64
	p.mu.RLock()
	err := p.db.QueryRow(c.r.q("SELECT id FROM users WHERE email = ?"), c.spelt(email)).Scan(&id)
	p.mu.RUnlock()
	c.r.figures.add("statements", 1)
	c.r.figures.add("look-ups", 1)
	if !errors.Is(err, sql.ErrNoRows) {
		c.wrong("wrong rows", "row %d was found by an e-mail that it no longer has: %v", id, err)
	}
}
