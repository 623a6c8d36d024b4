package integration

import (
	"errors"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/driver"
)

// fuzzSearch is how the protected column of a round is searched.
type fuzzSearch struct {
	on    bool
	short bool // terms of 8 bits, which values share
	per   bool // the terms depend on the tenant, too
}

// newFuzzSearch makes the column of every other round searchable, where it may be. A
// timestamp is an instant: texts without a zone are others in another loc, as they are
// not in the twin's DATETIME.
func newFuzzSearch(r *valuesRound) fuzzSearch {
	types := []string{"string", "bytes", "int64", "uuid"}
	if r.server.Name == "postgres" {
		types = append(types, "timestamp", "date")
	}
	return fuzzSearch{on: slices.Contains(types, r.value.policy) && r.IntN(2) == 0, short: r.IntN(3) == 0, per: r.IntN(3) == 0}
}

// ddl declares the column of the terms.
func (s fuzzSearch) ddl(r *valuesRound) string {
	switch {
	case !s.on:
		return ""
	case r.server.Name == "postgres" && r.base64:
		return ", ssn_eq text"
	case r.server.Name == "postgres":
		return ", ssn_eq bytea"
	case r.base64:
		return ", ssn_eq varchar(64) CHARACTER SET ascii COLLATE ascii_bin"
	}
	return ", ssn_eq varbinary(32)"
}

// keyring names the keyring: terms take one with keys of its own.
func (s fuzzSearch) keyring() string {
	if s.on {
		return "dev"
	}
	return "pii"
}

func (s fuzzSearch) policy() string {
	if !s.on {
		return ""
	}
	more := ""
	if s.short {
		more += ", bits: 8"
	}
	if s.per {
		more += ", per: tenant"
	}
	return ", search: {equality: {column: ssn_eq" + more + "}}"
}

// refuses reports whether an error may come of a search: what a short term finds is
// looked at again, which not every statement has room for.
func (s fuzzSearch) refuses(err error) bool {
	return s.on && (errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrValue))
}

// searches sends a statement that compares the protected column.
func (r *valuesRound) searches() {
	s := &fuzzStatement{}
	tail := ""
	if r.search.per {
		tail = " AND tenant = 1"
	}
	equal := func() string {
		switch r.IntN(4) {
		case 0:
			v := s.put(r, r.value.value(r.Rand))
			return "ssn IN (" + v + ", " + s.put(r, r.value.value(r.Rand)) + ")" + tail
		case 1:
			return s.put(r, r.value.value(r.Rand)) + " = ssn" + tail
		}
		return "ssn = " + s.put(r, r.value.value(r.Rand)) + tail
	}
	r.searched++
	const shown = "SELECT k, ssn, n, name FROM fv WHERE "
	kind := r.IntN(6)
	if r.search.short { // what a short term finds is looked at again, in a plain SELECT alone
		kind = 5
	}
	switch kind {
	case 0:
		s.text = "UPDATE fv SET n = n + 1 WHERE " + equal()
	case 1:
		s.text = "DELETE FROM fv WHERE n > 1 AND " + equal()
	case 2:
		s.text = "UPDATE fv SET ssn = " + s.put(r, r.value.value(r.Rand)) + ", n = n + 1 WHERE "
		s.text += equal()
	case 3:
		s.text = shown + "ssn <> " + s.put(r, r.value.value(r.Rand)) + tail
	case 4:
		s.text = shown + equal() + " AND name < 'n'"
	default:
		s.text = shown + equal()
	}
	if strings.HasPrefix(s.text, "SELECT") {
		r.answer(r.IntN(4), s)
		return
	}
	r.run(r.IntN(2), s)
	r.compare(2 + r.IntN(2))
}
