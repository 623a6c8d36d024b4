package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strconv"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// filled is a statement that was sent with fillers in the place of its values. Each
// filler tells the seal that it stands for.
type filled struct {
	route *sqlplan.Filled
	// seals are the indexes of the plan's seals, by their fillers.
	seals map[string]int
	// replaced are the values by the fillers that they replaced.
	replaced map[string]any
}

// filledBy returns the plan's route if its statement is sent with fillers; else nil.
func filledBy(plan *sqlplan.Plan) *sqlplan.ServerKey {
	if k, ok := plan.Route.(*sqlplan.ServerKey); ok && k.Mode == sqlplan.ServerKeyFillThenSeal {
		return k
	}
	return nil
}

// fill makes the terms of the statement, and fillers for its values. NULL stays NULL.
func (s *steps) fill(ctx context.Context, f *sqlplan.Filled) error {
	err := s.sealSome(ctx, func(v *sqlplan.Seal) bool {
		return v.Term != sqlplan.TermUnused || f.Mixed && !v.AwaitsKey()
	})
	if err != nil {
		return err
	}
	s.filled = &filled{route: f, seals: map[string]int{}, replaced: map[string]any{}}
	for i, v := range s.run.Plan.Seals.All() {
		if v.Term != sqlplan.TermUnused || f.Mixed && !v.AwaitsKey() {
			continue
		}
		null, empty, err := s.NullOrEmpty(v)
		if err != nil {
			return err
		}
		if null {
			continue
		}
		at := slices.IndexFunc(f.Columns, func(c sqlplan.FilledColumn) bool { return c.Column == v.Column })
		filler := f.Columns[at].Filler(i, empty)
		if v.Column.Base64 {
			s.sealed[i] = string(filler)
		} else {
			s.sealed[i] = filler
		}
		s.filled.seals[string(filler)] = i
	}
	return nil
}

// sealFilled replaces the fillers of the rows that the statement wrote. res is its
// result, or nil if it returned rows, which answer holds.
func (s *steps) sealFilled(ctx context.Context, k *sqlplan.ServerKey, res sqldriver.Result, answer [][]any) error {
	rows, err := s.readFilled(ctx, k, res, answer)
	if err != nil {
		return err
	}
	width := len(k.Table.Sources)
	for i, row := range rows {
		if slices.ContainsFunc(rows[:i], func(r []any) bool { return sameInteger(r[1+k.Filled.Key], row[1+k.Filled.Key]) }) {
			continue // two rows of the statement, or two keys of one, mean it
		}
		stored, cells := row[1:1+width], row[1+width:]
		s.Server = [][]any{{stored[k.Filled.Key]}}
		if err := s.sealCells(ctx, k.Filled, stored, cells); err != nil {
			return err
		}
	}
	return s.sealShown(ctx, answer)
}

// sealCells seals the values whose fillers are in the cells of a row, and writes them.
func (s *steps) sealCells(ctx context.Context, f *sqlplan.Filled, stored, cells []any) error {
	var columns []int
	sealed := make([]any, len(cells))
	for i, cell := range cells {
		value, filled, err := s.sealFiller(ctx, cell, stored)
		if err != nil {
			return err
		}
		if filled {
			columns, sealed[i] = append(columns, i), value
			cells[i] = value
		}
	}
	if len(columns) == 0 {
		return nil
	}
	s.Groups = []sealing.Group{{Sealed: [][]any{sealed}}}
	t := f.Update(columns)
	text, args := s.bind(&t, nil, nil)
	res, err := s.run.Base.Exec(ctx, text, args)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%w: a row just written was not found by its key; the statement was undone", fault.ErrTableChanged)
	}
	return nil
}

// sealFiller seals the value that a filler stands for, for a row that holds stored.
func (s *steps) sealFiller(ctx context.Context, cell any, stored []any) (value any, filled bool, err error) {
	filler, ok := server.AsText(cell)
	if !ok {
		return nil, false, nil
	}
	i, ok := s.filled.seals[filler]
	if !ok {
		return nil, false, nil
	}
	if value, done := s.filled.replaced[filler]; done {
		return value, true, nil
	}
	var v sqlplan.Seal
	v = *s.run.Plan.Seals.At(i, &v)
	v.Sources = held(v.Sources)
	values, err := s.SealAll(ctx, sqlplan.ListedSeals([]sqlplan.Seal{v}), [][]any{stored})
	if err != nil {
		return nil, false, err
	}
	s.filled.replaced[filler] = values[0]
	return values[0], true, nil
}

// readFilled reads the rows that the statement wrote.
func (s *steps) readFilled(ctx context.Context, k *sqlplan.ServerKey, res sqldriver.Result, answer [][]any) ([][]any, error) {
	f := k.Filled
	if k.Returning {
		return s.readEach(ctx, k, answer)
	}
	var rows [][]any
	found := map[string]bool{}
	for i := range f.Find {
		list, err := s.readRows(ctx, k, &f.Find[i])
		if err != nil {
			return nil, err
		}
		for _, row := range list {
			n, err := server.Integer(row[0])
			if err != nil {
				return nil, err
			}
			found[n] = true
		}
		rows = append(rows, list...)
	}
	inserts := len(f.Rows) == 0
	for n := range f.Rows {
		new := s.keyless(&f.Rows[n])
		if f.Moves && !new && !found[strconv.Itoa(n)] {
			return nil, fmt.Errorf("%w: a row just written was not found by its unique keys, which the statement sets to other values than it proposes; it was undone", fault.ErrTableChanged)
		}
		inserts = inserts || new
	}
	if !inserts {
		return rows, nil
	}
	first, err := res.LastInsertId()
	if err != nil || first == 0 {
		return rows, err
	}
	s.Server = [][]any{{first}}
	list, err := s.readRows(ctx, k, &f.From)
	return append(rows, list...), err
}

// keyless reports whether a row of the statement has NULL in each unique key: it is no
// row that was there already.
func (s *steps) keyless(r *sqlplan.FilledRow) bool {
	return !slices.ContainsFunc(r.Keys, func(key []sqlplan.Arg) bool {
		return !slices.ContainsFunc(key, func(a sqlplan.Arg) bool {
			switch a.Kind {
			case sqlplan.ArgUser:
				v, err := server.Plain(s.Params[a.Index].Value)
				return err == nil && v == nil
			case sqlplan.ArgSeal:
				return s.sealed[a.Index] == nil
			}
			return false
		})
	})
}

// readEach reads the rows of which the statement returned the keys.
func (s *steps) readEach(ctx context.Context, k *sqlplan.ServerKey, answer [][]any) (rows [][]any, err error) {
	seen := map[string]bool{}
	for _, row := range answer {
		key, err := server.Integer(row[k.Returned])
		if err != nil {
			return nil, err
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		s.Server = [][]any{{row[k.Returned]}}
		list, err := s.readRows(ctx, k, &k.Filled.ByKey)
		if err != nil {
			return nil, err
		}
		rows = append(rows, list...)
	}
	return rows, nil
}

// readRows sends one of the texts that read rows.
func (s *steps) readRows(ctx context.Context, k *sqlplan.ServerKey, t *sqlplan.Template) ([][]any, error) {
	text, args := s.bindAgain(t, s.run.Args.Options, s.sealed)
	rows, _, err := query(ctx, s.run.Base, text, args, -1)
	if err != nil {
		return nil, err
	}
	return rows, width(rows, 1+len(k.Table.Sources)+len(k.Filled.Columns))
}

// sealShown replaces the fillers that the statement returned. A later row of the
// statement may have replaced the value in the table, or the row.
func (s *steps) sealShown(ctx context.Context, answer [][]any) error {
	if len(s.run.Plan.Results) == 0 {
		return nil
	}
	for _, shown := range answer {
		for i, c := range s.run.Plan.Results[0].Columns {
			if c.Protected == nil {
				continue
			}
			stored := make([]any, len(c.Protected.Sources))
			for j, at := range c.Protected.Sources {
				if at >= 0 {
					stored[j] = shown[at]
				}
			}
			value, filled, err := s.sealFiller(ctx, shown[i], stored)
			if err != nil {
				return err
			}
			if filled {
				shown[i] = value
			}
		}
	}
	return nil
}

func sameInteger(a, b any) bool {
	x, err := server.Integer(a)
	y, err2 := server.Integer(b)
	return err == nil && err2 == nil && x == y
}
