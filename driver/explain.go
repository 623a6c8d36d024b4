package driver

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Explanation says what sealsql makes of a statement, without sending anything
// of it: for tests over a mocked connection, and for the curious. It holds names
// and positions, and of the statement's literals only those in Steps that stand in no
// protected column's place.
type Explanation struct {
	// Protected is false for a statement that is sent as it is.
	Protected bool
	// Steps are the texts that are sent, in their order, with placeholders; what
	// is carried out row by row is shown for one row.
	Steps []ExplainedStep
	// Seals are the values that are sealed or whose terms are made. A statement that is carried out row by
	// row seals them for each of its rows.
	Seals []ExplainedSeal
	// Results are the columns of the result sets that the server returns, hidden
	// ones included; nil if no protected value is in any.
	Results [][]ExplainedColumn
	// Locked are the columns that the first of Steps returns, for a statement
	// that is carried out row by row: the row key, what values are bound to, and
	// the stored values that are sealed again, whose names come with their
	// table in LockedTable.
	Locked      []string
	LockedTable string

	// A function, since fmt would print the plan, which holds the literals.
	plan   func() *sqlplan.Plan
	server server.Server // spells the literals
}

// ExplainedStep is one text that is sent, and what for.
type ExplainedStep struct{ Purpose, SQL string }

// ExplainedSeal is one value of one protected column, which is sealed or whose equality
// term is made.
type ExplainedSeal struct {
	// Table and Column name the column, as the policy does.
	Table, Column string
	// Value says where the value comes from: "parameter 2", "a literal at 1:30".
	Value string
	// Bound says, for each column that the value is bound to, where its value
	// comes from.
	Bound map[string]string
	// Term is true if the value's equality term is sent, not its ciphertext. Bound then
	// holds the columns that the term depends on.
	Term bool
}

// ExplainedColumn is a column that the server returns.
type ExplainedColumn struct {
	// Name is the column's name, or empty where the server makes it up.
	Name string
	// Hidden columns were added by sealsql, which strips them.
	Hidden bool
	// Table and Column name the protected column that is shown, as the policy
	// does; empty if the column shows no protected column.
	Table, Column string
	// Unverifiable is true if the statement hides the row that the value is of.
	Unverifiable bool
	// Sources gives, for each column of the table that the value is bound to,
	// the index of the result column that shows it, or -1.
	Sources map[string]int
	// Term is the index of the result column that shows the stored equality term which
	// the value is held to, or -1.
	Term int
}

// Explain plans a text as executing it would, and fails as executing it would:
// with a [*RefusedError] if it is refused. It reads the database's catalog if the
// statement needs it.
func (c *Connector) Explain(ctx context.Context, text string) (*Explanation, error) {
	e := c.engine.Load()
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	plan, err := e.Plan(ctx, text)
	if err != nil {
		return nil, err
	}
	x := explainer{engine: e, text: text, out: &Explanation{Protected: plan.Protected, plan: func() *sqlplan.Plan { return plan }, server: c.server}}
	x.explain(plan)
	return x.out, nil
}

// Explain is [Connector.Explain].
func (s *ValueSealer) Explain(ctx context.Context, text string) (*Explanation, error) {
	return s.c.Explain(ctx, text)
}

type explainer struct {
	engine *exec.Engine
	text   string
	out    *Explanation
}

func (x *explainer) step(purpose, text string) {
	if text != "" {
		x.out.Steps = append(x.out.Steps, ExplainedStep{purpose, text})
	}
}

func (x *explainer) explain(plan *sqlplan.Plan) {
	if !plan.Protected {
		x.step("is sent as it is", x.text)
		return
	}
	switch r := plan.Route.(type) {
	case *sqlplan.RowByRow:
		first := r.Tables[0]
		x.step(fmt.Sprintf("locks and reads the rows, at most %d", first.MaxRows), first.Lock.Text)
		x.step("writes them, here for one row", r.Build(1).Text)
		x.lock(first)
	case *sqlplan.ServerKey:
		x.serverKey(plan, r)
	case *sqlplan.KeyChecks:
		for i := range r.Len() {
			x.step("reads how the row spells its key, and locks it", r.At(i).Text.Text)
		}
		x.step("is sent in its place", plan.Main.Text)
	default:
		x.step("is sent in its place", plan.Main.Text)
	}
	for s := range plan.AllSeals() {
		x.seal(s)
	}
	for _, set := range plan.Results {
		x.out.Results = append(x.out.Results, explainColumns(set))
	}
}

func (x *explainer) serverKey(plan *sqlplan.Plan, k *sqlplan.ServerKey) {
	if k.Mode == sqlplan.ServerKeyEvaluate {
		x.step("asks for the keys that the server makes", k.Evaluate.Text)
		x.step("writes the rows", plan.Main.Text)
		return
	}
	if k.Mode == sqlplan.ServerKeyReserve {
		x.step("has the server make the keys, by an insert that is undone", k.Reserve.Text)
		x.step("writes the rows", plan.Main.Text)
		return
	}
	if f := k.Filled; f != nil {
		x.step("writes the rows with fillers in the place of values, in a transaction", plan.Main.Text)
		for _, t := range f.Find {
			x.step("finds the rows", t.Text)
		}
		x.step("seals the values for their rows, here for one row", f.Update(f.All()).Text)
		return
	}
	x.step("inserts the rows without the protected values, in a transaction", plan.Main.Text)
	for _, u := range k.Update {
		x.step("seals them for the key that the server made", u.Text)
	}
}

func (x *explainer) lock(r *sqlplan.LockedTable) {
	x.out.LockedTable = tableName(r.Table.Schema, r.Table.Name)
	x.out.Locked = append(append(x.out.Locked, r.Table.RowKey...), r.Table.Sources...)
	for _, c := range r.Old {
		x.out.Locked = append(x.out.Locked, c.Name)
	}
}

func (x *explainer) seal(s *sqlplan.Seal) {
	out := ExplainedSeal{Table: tableName(s.Table.Schema, s.Table.Name), Column: s.Column.Name, Value: x.operand(s.Value), Bound: map[string]string{}, Term: s.Term != sqlplan.TermUnused}
	bound := s.Column.Context
	switch s.Term {
	case sqlplan.TermUnused:
	case sqlplan.TermOther:
		bound = s.Column.Other.Sources
	default:
		bound = s.Column.Term.Sources
	}
	for _, i := range bound {
		if i < len(s.Sources) {
			out.Bound[s.Table.Sources[i]] = x.operand(s.Sources[i])
		}
	}
	x.out.Seals = append(x.out.Seals, out)
}

func (x *explainer) operand(o sqlplan.Operand) string {
	switch o.Kind {
	case sqlplan.OperandParam:
		return fmt.Sprintf("parameter %d", o.Param+1)
	case sqlplan.OperandEach:
		return fmt.Sprintf("each element of parameter %d", o.Param+1)
	case sqlplan.OperandLiteral:
		if o.At == 0 {
			return "a literal"
		}
		before := x.text[:min(int(o.At)-1, len(x.text))]
		line := strings.LastIndexByte(before, '\n')
		return fmt.Sprintf("a literal at %d:%d", strings.Count(before, "\n")+1, len(before)-line)
	case sqlplan.OperandNull:
		return "NULL"
	case sqlplan.OperandServer:
		return "made by the server"
	case sqlplan.OperandStored:
		return "what the row holds"
	}
	return "unknown"
}

func explainColumns(set sqlplan.ResultSet) []ExplainedColumn {
	out := make([]ExplainedColumn, len(set.Columns))
	for i, c := range set.Columns {
		out[i] = ExplainedColumn{Name: c.Name, Hidden: c.Hidden, Term: -1}
		p := c.Protected
		if p == nil {
			continue
		}
		out[i].Table, out[i].Column, out[i].Unverifiable = tableName(p.Table.Schema, p.Table.Name), p.Column.Name, p.Unverifiable
		out[i].Term, out[i].Sources = p.Term, map[string]int{}
		for _, s := range p.Column.Context {
			out[i].Sources[p.Table.Sources[s]] = p.Sources[s]
		}
	}
	return out
}

func tableName(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}
