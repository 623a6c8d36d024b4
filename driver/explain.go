package driver

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Explanation says what sealsql makes of a statement, without sending
// anything: for tests over a mocked connection, and for the curious.
type Explanation struct {
	// Protected is false for a statement that is sent as it is.
	Protected bool
	// Texts are the texts that are sent, in their order, with placeholders;
	// what is carried out row by row is shown for one row.
	Texts []string
	// Columns are the columns of the first result set that the server
	// returns, hidden ones included; empty if no protected value is in it.
	Columns []ExplainedColumn
	// Locked are the columns that the first of Texts returns, for a statement
	// that is carried out row by row: the row key, what values are bound to, and
	// the stored values that are sealed again, whose names come with their
	// table in LockedTable.
	Locked      []string
	LockedTable string

	plan *sqlplan.Plan
}

// ExplainedColumn is a column that the server returns.
type ExplainedColumn struct {
	// Name is the column's name, or empty where the server makes it up.
	Name string
	// Hidden columns were added by sealsql, which strips them.
	Hidden bool
	// Table and Column name the protected column that is shown, as the policy
	// does; empty if none is.
	Table, Column string
	// Sources gives, for each column of the table that the value is bound to,
	// the index in Columns of the one that shows it; -1 if none does.
	Sources map[string]int
}

// Explain plans a text as executing it would, and fails as executing it would.
// It reads the database's catalog if the statement needs it.
func (c *Connector) Explain(ctx context.Context, text string) (*Explanation, error) {
	e := c.engine.Load()
	if err := e.start(ctx); err != nil {
		return nil, err
	}
	plan, err := e.plan(ctx, text)
	if err != nil {
		return nil, err
	}
	x := &Explanation{Protected: plan.Protected, plan: plan}
	sets := plan.Results
	switch {
	case !plan.Protected:
		x.Texts = []string{text}
	case plan.RowByRow != nil:
		x.Texts = []string{plan.RowByRow.Lock.Text, plan.RowByRow.Build(1).Text}
		sets = plan.RowByRow.Results
		x.lock(plan.RowByRow)
	default:
		for _, k := range plan.KeyChecks {
			x.Texts = append(x.Texts, k.Text.Text)
		}
		if k := plan.ServerKey; k != nil && k.Mode == sqlplan.ServerKeyEvaluate {
			x.Texts = append(x.Texts, k.Evaluate.Text)
		}
		x.Texts = append(x.Texts, plan.Main.Text)
		if k := plan.ServerKey; k != nil && k.Mode == sqlplan.ServerKeyInsertThenSeal {
			for _, u := range k.Update {
				x.Texts = append(x.Texts, u.Text)
			}
		}
	}
	if len(sets) > 0 {
		x.Columns = explainColumns(sets[0])
	}
	return x, nil
}

func (x *Explanation) lock(r *sqlplan.RowByRow) {
	x.LockedTable = tableName(r.Table.Schema, r.Table.Name)
	x.Locked = append(append(x.Locked, r.Table.RowKey...), r.Table.Sources...)
	for _, c := range r.Old {
		x.Locked = append(x.Locked, c.Name)
	}
}

func explainColumns(set sqlplan.ResultSet) []ExplainedColumn {
	out := make([]ExplainedColumn, len(set.Columns))
	for i, c := range set.Columns {
		out[i] = ExplainedColumn{Name: c.Name, Hidden: c.Hidden}
		p := c.Protected
		if p == nil {
			continue
		}
		out[i].Table, out[i].Column, out[i].Sources = tableName(p.Table.Schema, p.Table.Name), p.Column.Name, map[string]int{}
		for _, s := range p.Column.Context {
			out[i].Sources[p.Table.Sources[s]] = p.Sources[s]
		}
	}
	return out
}

// Sends reports whether text is one that sealsql sends for the statement:
// literals of protected columns may be any ciphertext or NULL in it, and what is
// carried out row by row may be for any number of rows.
func (x *Explanation) Sends(text string) bool {
	for _, t := range x.Texts {
		if t == text {
			return true
		}
	}
	if !x.Protected {
		return false
	}
	if r := x.plan.RowByRow; r != nil {
		// The text grows with the rows.
		for rows, length := 2, 0; rows <= r.MaxRows && length <= len(text); rows++ {
			t := r.Build(rows).Text
			if t == text {
				return true
			}
			length = len(t)
		}
		return text == r.Empty.Text
	}
	return inlined(x.plan.Main.Pieces, text)
}

// inlined reports whether text is the pieces with literals in their holes.
func inlined(pieces []sqlplan.Piece, text string) bool {
	for _, p := range pieces {
		if p.Arg == nil {
			rest, ok := strings.CutPrefix(text, p.Text)
			if !ok {
				return false
			}
			text = rest
			continue
		}
		n := 0
		if p.Literal && p.Arg.Kind == sqlplan.ArgSeal {
			n = literalLength(text)
		}
		if n == 0 {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// literalLength is the length of the literal at the start of text if it is
// NULL or holds a message as a [Dialect] spells it; else 0.
func literalLength(text string) int {
	if strings.HasPrefix(text, "NULL") {
		return len("NULL")
	}
	open := strings.IndexByte(text, '\'')
	if open < 0 || open > 1 {
		return 0
	}
	end := strings.IndexByte(text[open+1:], '\'')
	if end < 0 {
		return 0
	}
	body, n := text[open+1:open+1+end], open+1+end+1
	var raw []byte
	var err error
	switch {
	case text[:open] == "x":
		raw, err = hex.DecodeString(body)
	case text[:open] == "E" && strings.HasPrefix(body, `\\x`) && strings.HasPrefix(text[n:], "::bytea"):
		raw, err = hex.DecodeString(body[3:])
		n += len("::bytea")
	default:
		raw, err = base64.StdEncoding.DecodeString(body)
	}
	if err != nil {
		return 0
	}
	if _, err := codec.Parse(raw); err != nil {
		return 0
	}
	return n
}
