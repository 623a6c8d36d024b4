package driver

import (
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// planOf is a plan of a text with three parameters, of which it seals one and sends the
// others.
func planOf(sealed int, sent ...int32) *sqlplan.Plan {
	p := &sqlplan.Plan{UserParams: 3, Protected: true, Route: sqlplan.Direct{}}
	p.Seals = sqlplan.ListedSeals([]sqlplan.Seal{{Value: sqlplan.Operand{Kind: sqlplan.OperandParam, Param: sealed}}})
	for _, i := range sent {
		p.Main.Args = append(p.Main.Args, sqlplan.Arg{Kind: sqlplan.ArgUser, Index: i})
	}
	return p
}

// TestParamsAreThoseOfTheStatementsPlan asks about each parameter, and one more than the
// text has, before and after the plan was made anew.
func TestParamsAreThoseOfTheStatementsPlan(t *testing.T) {
	var p params
	for _, c := range []struct {
		name string
		plan *sqlplan.Plan
		want string
	}{
		{"the second is sealed", planOf(1, 2, 0, 2), "sent at 1; sealed; sent at 0; not sent; "},
		{"the first is sealed, and the last is not sent", planOf(0, 1), "sealed; sent at 0; not sent; not sent; "},
		{"nothing is planned", &sqlplan.Plan{UserParams: -1}, "not sent; not sent; not sent; not sent; "},
	} {
		got := ""
		for i := range 4 {
			switch place, sent := p.of(c.plan).place(i); {
			case p.of(c.plan).isSealed(i):
				got += "sealed; "
			case sent:
				got += fmt.Sprintf("sent at %d; ", place)
			default:
				got += "not sent; "
			}
		}
		if got != c.want {
			t.Errorf("%s:\n got: %s\nwant: %s", c.name, got, c.want)
		}
	}
}

// TestAPlanIsLookedThroughOnceForItsParams changes a plan behind the back of params, whose
// answers stay: they do not look at it again for each argument.
func TestAPlanIsLookedThroughOnceForItsParams(t *testing.T) {
	var p params
	plan := planOf(1, 0, 2)
	_ = p.of(plan).isSealed(0)
	_, _ = p.of(plan).place(0)
	plan.Seals, plan.Main.Args = sqlplan.Seals{}, nil
	if place, sent := p.of(plan).place(2); !p.of(plan).isSealed(1) || !sent || place != 1 {
		t.Errorf("parameter 1 is sealed: %v; parameter 2 is sent: %v, at %d; the plan was looked at again", p.of(plan).isSealed(1), sent, place)
	}
}
