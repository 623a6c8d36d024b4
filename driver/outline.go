package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Outline is what the driver would do with a SQL text, in words: what sealsql
// explain shows. [Connector.Explain] is for tests. It holds names and positions, and no literal of the text but in Steps, where protected ones are holes.
type Outline struct {
	// Protected is false for a text that touches nothing of the policy: it is
	// sent as it is.
	Protected bool `json:"protected"`
	// Refused is set if the text is not sent at all.
	Refused *RefusedError `json:"-"`
	// Steps are the texts that are sent, in order.
	Steps []OutlineStep `json:"steps,omitempty"`
	// Seals are the values that are sealed. Those of a statement that goes row by
	// row are sealed for each of its rows.
	Seals []OutlineSeal `json:"seals,omitempty"`
	// Columns are the columns of the last step's result sets that show a protected
	// value, or were added and are stripped again.
	Columns []OutlineColumn `json:"columns,omitempty"`
	// KeyChecks is how many rows are read first because their key may be spelt
	// otherwise than the statement spells it.
	KeyChecks int `json:"key_checks,omitempty"`
}

// OutlineStep is one text that is sent, and what for.
type OutlineStep struct {
	Purpose string `json:"purpose"`
	SQL     string `json:"sql"`
}

// OutlineSeal is one value of one protected column.
type OutlineSeal struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	// Value says where the value comes from: "parameter 2", "a literal at 1:30".
	Value string `json:"value"`
	// Bound says, for each column that the value is bound to, where its value
	// comes from.
	Bound map[string]string `json:"bound"`
}

// OutlineColumn is a column of a result.
type OutlineColumn struct {
	Position int    `json:"position"` // from 1, among the server's columns
	Name     string `json:"name,omitempty"`
	Hidden   bool   `json:"hidden,omitempty"`
	// Shows is the protected "table.column" whose value is opened.
	Shows string `json:"shows,omitempty"`
	// Unverifiable is true if the statement hides the row that the value is of.
	Unverifiable bool `json:"unverifiable,omitempty"`
}

// Outline plans a SQL text as the driver would, and sends nothing of it. Errors
// other than refusals wrap [ErrCatalog].
func (s *ValueSealer) Outline(ctx context.Context, text string) (*Outline, error) {
	e := s.c.engine.Load()
	if err := e.start(ctx); err != nil {
		return nil, err
	}
	plan, err := e.plan(ctx, text)
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return &Outline{Protected: true, Refused: refused}, nil
	}
	if err != nil {
		return nil, err
	}
	x := outliner{engine: e, text: text, out: &Outline{Protected: plan.Protected, KeyChecks: len(plan.KeyChecks)}}
	if plan.Protected {
		x.steps(plan)
	}
	return x.out, nil
}

type outliner struct {
	engine *engine
	text   string
	out    *Outline
}

func (x *outliner) step(purpose, text string) {
	if text != "" {
		x.out.Steps = append(x.out.Steps, OutlineStep{purpose, text})
	}
}

func (x *outliner) steps(plan *sqlplan.Plan) {
	for _, k := range plan.KeyChecks {
		x.step("reads how the row spells its key, and locks it", k.Text.Text)
	}
	seals, results := plan.Seals, plan.Results
	switch r, k := plan.RowByRow, plan.ServerKey; {
	case r != nil:
		x.step(fmt.Sprintf("locks and reads the rows, at most %d", r.MaxRows), r.Lock.Text)
		build := r.Build(1)
		x.step("writes them, here for one row", build.Text)
		seals, results = r.Seals, r.Results
	case k != nil && k.Mode == sqlplan.ServerKeyEvaluate:
		x.step("asks for the keys that the server makes", k.Evaluate.Text)
		x.step("writes the rows", plan.Main.Text)
	case k != nil:
		x.step("inserts the rows without the protected values, in a transaction", plan.Main.Text)
		for _, u := range k.Update {
			x.step("seals them for the key that the server made", u.Text)
		}
	default:
		x.step("is sent in its place", plan.Main.Text)
	}
	for i := range seals {
		x.seal(&seals[i])
	}
	for _, set := range results {
		x.columns(set)
	}
}

func (x *outliner) seal(s *sqlplan.Seal) {
	col := x.engine.columns[s.Column]
	out := OutlineSeal{Table: col.table, Column: col.name, Value: x.operand(s.Value), Bound: map[string]string{}}
	for _, i := range s.Column.Context {
		if i < len(s.Sources) {
			out.Bound[s.Table.Sources[i]] = x.operand(s.Sources[i])
		}
	}
	x.out.Seals = append(x.out.Seals, out)
}

func (x *outliner) operand(o sqlplan.Operand) string {
	switch o.Kind {
	case sqlplan.OperandParam:
		return fmt.Sprintf("parameter %d", o.Param+1)
	case sqlplan.OperandLiteral:
		if o.Span.End == 0 {
			return "a literal"
		}
		before := x.text[:min(o.Span.Start, len(x.text))]
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

func (x *outliner) columns(set sqlplan.ResultSet) {
	for i, c := range set.Columns {
		out := OutlineColumn{Position: i + 1, Name: c.Name, Hidden: c.Hidden}
		if p := c.Protected; p != nil {
			col := x.engine.columns[p.Column]
			out.Shows, out.Unverifiable = col.table+"."+col.name, p.Unverifiable
		}
		if out.Hidden || out.Shows != "" {
			x.out.Columns = append(x.out.Columns, out)
		}
	}
}
