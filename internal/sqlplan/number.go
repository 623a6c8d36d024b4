package sqlplan

import (
	"cmp"
	"slices"
)

// placeholders are the numbers that the user's text gives to parameters.
type placeholders struct {
	n     int     // how many arguments the user passes
	never []int32 // the indexes of those that the text does not use
}

// placeholders returns those of the text.
func (a *analysis) placeholders() *placeholders {
	if a.numbers != nil {
		return a.numbers
	}
	a.numbers = &placeholders{n: a.script.NumParams}
	used := make([]bool, a.script.NumParams)
	for _, p := range a.script.Params {
		used[p.Index] = true
	}
	for i, u := range used {
		if !u {
			a.numbers.never = append(a.numbers.never, int32(i))
		}
	}
	return a.numbers
}

// numbering gives arguments numbers, from 1. It keeps those of the user's arguments and
// of seals by their index where most of them occur, the others in a map.
type numbering struct {
	user, seals []int32
	rest        map[Arg]int32
}

func newNumbering(user, parts int) numbering {
	if parts < user/4 {
		user = 0
	}
	return numbering{user: make([]int32, user), rest: map[Arg]int32{}}
}

// place returns where the number of an argument is kept; nil for the map.
func (n *numbering) place(arg Arg) *int32 {
	switch {
	case arg.Kind == ArgUser && int(arg.Index) < len(n.user):
		return &n.user[arg.Index]
	case arg.Kind == ArgSeal && int(arg.Index) < len(n.seals):
		return &n.seals[arg.Index]
	}
	return nil
}

// of returns the number of an argument, or 0.
func (n *numbering) of(arg Arg) int32 {
	if at := n.place(arg); at != nil {
		return *at
	}
	return n.rest[arg]
}

func (n *numbering) set(arg Arg, number int32) {
	// Seals are met in their order.
	if arg.Kind == ArgSeal && int(arg.Index) == len(n.seals) {
		n.seals = append(n.seals, number)
		return
	}
	if at := n.place(arg); at != nil {
		*at = number
		return
	}
	n.rest[arg] = number
}

// numbered is an argument with its number.
type numbered struct {
	arg    Arg
	number int32
}

// slots are the numbers that are taken, each by an argument.
type slots struct {
	numbers numbering
	list    []numbered
	dense   []bool
	sparse  map[int32]bool
}

func (s *slots) taken(n int32) bool {
	if int(n) < len(s.dense) {
		return s.dense[n]
	}
	return s.sparse[n]
}

func (s *slots) take(arg Arg, n int32) {
	if int(n) < len(s.dense) {
		s.dense[n] = true
	} else {
		s.sparse[n] = true
	}
	s.numbers.set(arg, n)
	s.list = append(s.list, numbered{arg, n})
}

// number gives each distinct argument a number: the user's parameters keep
// theirs, a sealed parameter takes the one it had if nothing else does, and the
// rest follow. Numbers that fall out of use are closed up. Those that the user's text
// never used stay, for the server to complain about.
func number(of *placeholders, parts []part) (numbering, []Arg) {
	if of == nil {
		of = &placeholders{}
	}
	s := slots{numbers: newNumbering(of.n, len(parts)), sparse: map[int32]bool{}}
	if len(s.numbers.user) == of.n {
		s.dense = make([]bool, of.n+1)
	}
	never := func(n int32) bool { _, ok := slices.BinarySearch(of.never, n-1); return ok }
	for i := range parts {
		if arg := parts[i].arg; arg.Kind == ArgUser && s.numbers.of(arg) == 0 {
			s.take(arg, arg.Index+1)
		}
	}
	for i := range parts {
		p := &parts[i]
		if p.hole() && p.hint > 0 && int(p.hint) <= of.n && !s.taken(p.hint) && s.numbers.of(p.arg) == 0 {
			s.take(p.arg, p.hint)
		}
	}
	next := int32(1)
	for i := range parts {
		p := &parts[i]
		if !p.hole() || s.numbers.of(p.arg) != 0 {
			continue
		}
		for s.taken(next) || int(next) <= of.n && never(next) {
			next++
		}
		s.take(p.arg, next)
	}
	for _, i := range of.never {
		if !s.taken(i + 1) {
			s.list = append(s.list, numbered{argOf(ArgUser, int(i)), i + 1})
		}
	}
	return s.closeUp()
}

// closeUp renumbers the arguments without gaps.
func (s *slots) closeUp() (numbering, []Arg) {
	slices.SortFunc(s.list, func(x, y numbered) int { return cmp.Compare(x.number, y.number) })
	args := make([]Arg, len(s.list))
	for i, x := range s.list {
		args[i] = x.arg
		s.numbers.set(x.arg, int32(i+1))
	}
	return s.numbers, args
}
