package corpus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// Describe writes a plan or a refusal for a golden file. The policy decides, as
// it does in the driver, about values whose row a statement hides.
func Describe(p *policy.Policy, plan *sqlplan.Plan, err error) string {
	var b strings.Builder
	if err == nil {
		err = verifiable(p, plan)
	}
	d := &describer{&b}
	switch r, refused := errors.AsType[*sqlplan.Refusal](err); {
	case refused:
		return "refused: " + r.Error()
	case err != nil:
		return "error: " + err.Error()
	case !plan.Protected:
		return "untouched"
	}
	if r, ok := plan.Route.(*sqlplan.RowByRow); ok {
		d.rowByRow(r, plan.Seals)
		d.results(plan.Results)
		return d.done()
	}
	d.seals(plan.Seals)
	d.route(plan.Route)
	d.line("text: %s", plan.Main.Text)
	if len(plan.Main.Args) > 0 {
		args := make([]string, len(plan.Main.Args))
		for i, a := range plan.Main.Args {
			args[i] = argument(a)
		}
		d.line("args: %s", strings.Join(args, ", "))
	}
	d.results(plan.Results)
	for _, l := range plan.LeftOut {
		d.line("left out: %s of %s", l.What, l.Object)
	}
	return d.done()
}

func (d *describer) rowByRow(r *sqlplan.RowByRow, seals sqlplan.Seals) {
	for _, part := range r.Tables {
		d.line("row by row of %s", part.Table.Name)
		d.line("lock: %s", part.Lock.Text)
		d.seals(part.Seals)
	}
	d.seals(seals)
	d.line("write: %s", r.Build(2, 1).Text)
	d.line("none: %s", r.Empty().Text)
}

func (d *describer) seals(list sqlplan.Seals) {
	for _, s := range list.All() {
		d.seal(*s)
	}
}

// route writes what is sent before and after the statement.
func (d *describer) route(r sqlplan.Route) {
	switch k := r.(type) {
	case *sqlplan.KeyChecks:
		for i := range k.Len() {
			d.line("first read: %s", k.At(i).Text.Text)
		}
	case *sqlplan.ServerKey:
		if k.Mode == sqlplan.ServerKeyEvaluate {
			d.line("first ask: %s", k.Evaluate.Text)
		}
		if k.Mode == sqlplan.ServerKeyReserve {
			d.line("first insert, and undo: %s", k.Reserve.Text)
		}
		if k.Checks != nil {
			for i := range k.Checks.Len() {
				d.line("first read: %s", k.Checks.At(i).Text.Text)
			}
		}
		if f := k.Filled; f != nil {
			for _, t := range f.Find {
				d.line("then find: %s", t.Text)
			}
			d.line("then fill: %s", f.Update(f.All()).Text)
		}
		for _, u := range k.Update {
			d.line("then: %s", u.Text)
		}
	}
}

// verifiable is the driver's check of the same name.
func verifiable(p *policy.Policy, plan *sqlplan.Plan) error {
	for _, set := range plan.Results {
		for _, c := range set.Columns {
			if c.Protected == nil || !c.Protected.Unverifiable {
				continue
			}
			for _, t := range p.Tables() {
				for _, col := range t.Columns {
					if t.Name == c.Protected.Table.Name && t.Schema == c.Protected.Table.Schema && col.Name == c.Protected.Column.Name && col.Unverifiable == policy.UnverifiableError {
						return &sqlplan.Refusal{Object: strings.TrimPrefix(t.Schema+"."+t.Name, ".") + "." + col.Name, What: "the statement's shape hides which row a protected value belongs to",
							Hint: "select the row key beside it without DISTINCT, GROUP BY or set operations, or set unverifiable: alert for the column"}
					}
				}
			}
		}
	}
	return nil
}

type describer struct{ b *strings.Builder }

func (d *describer) line(format string, args ...any) {
	fmt.Fprintf(d.b, format, args...)
	d.b.WriteByte('\n')
}

func (d *describer) done() string { return strings.TrimSuffix(d.b.String(), "\n") }

// terms say what is sent in place of a value.
var terms = map[sqlplan.TermUse]string{sqlplan.TermValue: "term", sqlplan.TermNull: "whether NULL:", sqlplan.TermOther: "other term", sqlplan.TermTest: "as given", sqlplan.TermTestLoose: "as given, loosely,"}

func (d *describer) seal(s sqlplan.Seal) {
	var of []string
	value := operand(s.Value, nil)
	if n := s.Value.NullIf; n != nil {
		value += fmt.Sprintf(" unless %q", n.Literal.Text)
	}
	if s.Value.Kind == sqlplan.OperandStored {
		value = "the value it holds"
	}
	if s.Term != sqlplan.TermUnused {
		for _, i := range s.Column.Term.Sources {
			if s.Sources == nil {
				break
			}
			of = append(of, ", of "+s.Table.Sources[i]+" = "+operand(s.Sources[i], s.Table.Sources))
		}
		term := terms[s.Term]
		if s.Value.Kind == sqlplan.OperandEach && s.Compared {
			term, value = "terms of each", strings.TrimPrefix(value, "each of ")
		}
		d.line("%s %s.%s = %s%s", term, s.Table.Name, s.Column.Name, value, strings.Join(of, ""))
		return
	}
	for _, i := range s.Column.Context {
		of = append(of, s.Table.Sources[i]+" = "+operand(s.Sources[i], s.Table.Sources))
	}
	d.line("seal %s.%s = %s, of the row %s", s.Table.Name, s.Column.Name, value, strings.Join(of, ", "))
}

func operand(o sqlplan.Operand, sources []string) string {
	if o.Of != nil {
		return "the term of " + operandValue(o, sources)
	}
	return operandValue(o, sources)
}

func operandValue(o sqlplan.Operand, sources []string) string {
	switch o.Kind {
	case sqlplan.OperandParam:
		return fmt.Sprintf("argument %d", o.Param+1)
	case sqlplan.OperandEach:
		return fmt.Sprintf("each of argument %d", o.Param+1)
	case sqlplan.OperandLiteral:
		return fmt.Sprintf("literal %q", o.Literal.Text)
	case sqlplan.OperandNull:
		return "NULL"
	case sqlplan.OperandServer:
		return fmt.Sprintf("made by the server for row %d", o.Row+1)
	case sqlplan.OperandStored:
		if o.Param < len(sources) {
			return "what it holds"
		}
		return "stored"
	}
	return "none"
}

func argument(a sqlplan.Arg) string {
	switch a.Kind {
	case sqlplan.ArgUser:
		return fmt.Sprintf("argument %d", a.Index+1)
	case sqlplan.ArgSeal:
		return fmt.Sprintf("seal %d", a.Index+1)
	case sqlplan.ArgServerEach:
		return fmt.Sprintf("key %d of each row", a.Index+1)
	case sqlplan.ArgRows:
		return "the number of rows"
	case sqlplan.ArgServer:
		return fmt.Sprintf("key %d of row %d", a.Index+1, a.Row+1)
	}
	return "row"
}

func (d *describer) results(sets []sqlplan.ResultSet) {
	for _, set := range sets {
		if !set.Protected {
			d.line("shows: nothing protected")
			continue
		}
		list := make([]string, len(set.Columns))
		for i, c := range set.Columns {
			list[i] = c.Name
			if c.Name == "" {
				list[i] = "?"
			}
			if c.Hidden {
				list[i] += " (hidden)"
			}
			if p := c.Protected; p != nil {
				list[i] += " (opens " + p.Table.Name + "." + p.Column.Name
				for _, s := range p.Column.Context {
					if p.Sources[s] < 0 {
						list[i] += ", " + p.Table.Sources[s] + " unknown"
					} else {
						list[i] += fmt.Sprintf(", %s in column %d", p.Table.Sources[s], p.Sources[s]+1)
					}
				}
				if p.Term >= 0 {
					list[i] += fmt.Sprintf(", held to the term in column %d", p.Term+1)
				}
				list[i] += ")"
			}
		}
		d.line("shows: %s", strings.Join(list, ", "))
		for _, f := range set.Filters {
			var seals []string
			for _, s := range f.Seals {
				seals = append(seals, fmt.Sprintf("seal %d", s+1))
			}
			d.line("drops rows unless column %d is %s", f.Column+1, strings.Join(seals, " or "))
		}
		if p := set.Page; p != nil {
			d.line("of these: LIMIT %s OFFSET %s", operand(p.Count, nil), operand(p.Offset, nil))
		}
	}
}
