package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sealsql/sealsql/driver"
)

// together sends statements from all connections at the same time. Which of them comes
// last is not known, so that the bare twin does not take part: no statement may fail but
// as the server has it, and each stored value opens in its row.
func (r *valuesRound) together() {
	var lists [4][]*fuzzStatement
	for i := range lists {
		for range 5 {
			lists[i] = append(lists[i], r.contended())
		}
	}
	failed := make(chan string, len(lists)*len(lists[0]))
	var wg sync.WaitGroup
	for i, list := range lists {
		wg.Go(func() {
			for _, s := range list {
				ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
				_, err := r.sealed[i].ExecContext(ctx, s.text, s.args...)
				cancel()
				if err != nil && !errors.Is(err, driver.ErrRefused) && !errors.Is(err, driver.ErrValue) && !unencodable(err) && strings.HasPrefix(class(err), "another") {
					failed <- fmt.Sprintf("[%s %s] %s %s: %v", r.settings[i], r.session[i], s.text, describeArgs(s.args), err)
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for line := range failed {
		r.errorf("at the same time as others: %s", line)
	}
	r.contendedRounds++
	for i, db := range r.sealed {
		_, _, err := readTyped(r.Context(), db, "SELECT k, ssn, n, name FROM fv")
		if err != nil && !r.foreign(i, err) {
			r.errorf("after statements at the same time, under %s %s: %v", r.settings[i], r.session[i], err)
		}
	}
	r.unaccused()
}

// foreign reports whether reading under a session's character set may be refused.
func (r *valuesRound) foreign(at int, err error) bool {
	return r.session[at] != "" && (errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrUnverifiable))
}

// contended is a statement that others get in the way of.
func (r *valuesRound) contended() *fuzzStatement {
	s := &fuzzStatement{}
	v := r.value.value(r.Rand)
	switch r.IntN(4) {
	case 0:
		s.text = "UPDATE fv SET ssn = " + s.put(r, v) + " WHERE k = "
		s.text += s.put(r, r.anyKey())
	case 1:
		s.text = "UPDATE fv SET ssn = " + s.put(r, v) + " WHERE name < 'n'"
	case 2:
		s.text = "UPDATE fv SET k = " + s.put(r, r.anyKey()) + " WHERE k = "
		s.text += s.put(r, r.anyKey())
	default:
		s.text = "INSERT INTO fv (k, ssn, name) VALUES (" + s.put(r, r.anyKey()) + ", "
		s.text += s.put(r, v) + ", 'a')" + r.upsert()
	}
	return s
}
