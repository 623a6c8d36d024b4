package driver

import "github.com/sealsql/sealsql/internal/sqlplan"

// params says what a plan does with each of the user's parameters. database/sql asks for
// one after the other: to look through the plan for each takes the square of their number.
type params struct {
	plan   *sqlplan.Plan
	sealed []bool      // those that are protected values
	places map[int]int // where those are sent that the server gets as they are; nil until asked for
}

// of makes p that of the plan, and returns it.
func (p *params) of(plan *sqlplan.Plan) *params {
	if p.plan == plan {
		return p
	}
	*p = params{plan: plan}
	if !plan.Protected { // how many parameters its text has may be unknown
		return p
	}
	p.sealed = make([]bool, plan.UserParams)
	for s := range plan.AllSeals() {
		if i, ok := s.Value.Argument(); ok {
			p.sealed[i] = true
		}
	}
	return p
}

// isSealed reports whether a parameter is a protected value. There may be more arguments
// than the text has parameters.
func (p *params) isSealed(param int) bool { return param < len(p.sealed) && p.sealed[param] }

// place returns the first place at which a parameter is sent as it is.
func (p *params) place(param int) (place int, sent bool) {
	if p.isSealed(param) {
		return 0, false
	}
	if p.places == nil {
		p.places = map[int]int{}
		for i, a := range p.plan.Main.Args {
			if _, known := p.places[int(a.Index)]; a.Kind == sqlplan.ArgUser && !known {
				p.places[int(a.Index)] = i
			}
		}
	}
	place, sent = p.places[param]
	return place, sent
}
