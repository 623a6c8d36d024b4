package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rowByRow locks and reads the rows that an UPDATE will write, seals a value
// for each, and writes them in one statement.
func (s *steps) rowByRow(ctx context.Context, r *sqlplan.RowByRow, end finish) error {
	var err error
	if s.sealed, err = s.SealAll(ctx, s.run.Plan.Seals, nil); err != nil {
		return err
	}
	counts, found, read := make([]int, len(r.Tables)), 0, 0
	s.Groups = make([]sealing.Group, len(r.Tables))
	for i, p := range r.Tables {
		rows, err := s.readTable(ctx, p, &p.Lock)
		if err == reading.ErrTooManyRows {
			return tooMany(p)
		}
		if err != nil {
			return err
		}
		read += len(rows)
		rows = distinct(rows, len(p.Table.RowKey))
		if len(rows) > p.MaxRows {
			return tooMany(p)
		}
		s.Groups[i].Rows, counts[i], found = rows, len(rows), found+len(rows)
	}
	if found == 0 {
		t := r.Empty()
		return s.send(ctx, &t, end)
	}
	for i, p := range r.Tables {
		var err error
		if s.Groups[i].Sealed, err = s.sealRows(ctx, p, s.Groups[i].Rows, len(p.Table.RowKey)); err != nil {
			return err
		}
	}
	t := r.Build(counts...)
	text, args := s.bind(&t, s.run.Args.Options, s.sealed)
	for _, p := range r.Tables {
		if err := s.run.typed(ctx, s.Binding, text, &t, p.Seals); err != nil {
			return err
		}
	}
	written, err := end(ctx, text, args, s.run.Plan.Results)
	switch {
	case err != nil:
		return err
	case written == unknown || !r.Counted || r.CountsChanges && s.sealsNull():
		return s.checkWritten(ctx, r, written)
	case written != int64(read):
		return fmt.Errorf("%w: %d rows were locked for the statement and %d were written; it was undone", fault.ErrTableChanged, read, written)
	}
	return nil
}

// sealsNull reports whether NULL is written for a value: the row may hold it already.
func (s *steps) sealsNull() bool {
	for _, g := range s.Groups {
		for _, row := range g.Sealed {
			if slices.Contains(row, nil) {
				return true
			}
		}
	}
	return false
}

// checkWritten fails if a row that was locked is not found by its key, as it was read
// and is sent again: the row was not written. It stands in for the number of rows that
// were written where the server does not report it.
func (s *steps) checkWritten(ctx context.Context, r *sqlplan.RowByRow, written int64) error {
	for i, p := range r.Tables {
		locked := int64(len(s.Groups[i].Rows))
		if locked == 0 || p.Rekeys && written == unknown {
			continue
		}
		t := p.Count(len(s.Groups[i].Rows))
		text, args := s.bind(&t, s.run.Args.Options, s.sealed)
		found, err := s.count(ctx, text, args)
		if err != nil {
			return err
		}
		if p.Rekeys {
			found += written // they have other keys now
		}
		if found < locked {
			return fmt.Errorf("%w: of %d rows of %s that were locked, %d are found by their row key; the statement was undone", fault.ErrTableChanged, locked, p.Table.Name, found)
		}
	}
	return nil
}

// count sends a query that returns one number.
func (s *steps) count(ctx context.Context, text string, args []sqldriver.NamedValue) (int64, error) {
	rows, _, err := query(ctx, s.run.Base, text, args, 1)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("%w: the server did not count the rows", fault.ErrCatalog)
	}
	digits, err := server.Integer(rows[0][0])
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(digits, 10, 64)
}

// readTable reads the rows of one table by its Lock, or by another text that returns the same.
func (s *steps) readTable(ctx context.Context, r *sqlplan.LockedTable, by *sqlplan.Template) ([][]any, error) {
	text, args := s.bind(by, s.run.Args.Options, s.sealed)
	rows, base, err := query(ctx, s.run.Base, text, args, lockedMost(r))
	if err == nil {
		err = width(rows, len(r.Table.RowKey)+len(r.Table.Sources)+len(r.Old))
	}
	if err == nil {
		err = s.run.lockedAs(ctx, base, r)
	}
	return rows, err
}

func tooMany(r *sqlplan.LockedTable) error {
	return &fault.RefusedError{Object: r.Table.Name,
		What: fmt.Sprintf("the statement writes protected values of more than %d rows", r.MaxRows),
		Hint: "narrow its WHERE, or raise max_rows_per_statement of the table in the policy"}
}

// lockedMost bounds the rows that are read: a join repeats some.
func lockedMost(r *sqlplan.LockedTable) int { return 8*r.MaxRows + 64 }

// distinct drops rows whose key came before: a join may repeat a row, and an
// outer join may lack one.
func distinct(rows [][]any, keys int) [][]any {
	seen := make(map[string]bool, len(rows))
	out := rows[:0]
	for _, row := range rows {
		var k strings.Builder
		for _, v := range row[:keys] {
			s := fmt.Sprintf("%v", v)
			fmt.Fprintf(&k, "%d:%s", len(s), s)
		}
		missing := !slices.ContainsFunc(row[:keys], func(v any) bool { return v != nil })
		if !seen[k.String()] && !missing {
			seen[k.String()] = true
			out = append(out, row)
		}
	}
	return out
}

// sealRows seals r.Seals for every row that was read.
func (s *steps) sealRows(ctx context.Context, r *sqlplan.LockedTable, rows [][]any, keys int) ([][]any, error) {
	sources, n := len(r.Table.Sources), r.Seals.Len()
	todo := make([]sealing.Unsealed, len(rows)*n)
	defer sealing.Wipe(todo)
	for i, row := range rows {
		stored := row[keys : keys+sources]
		for j, v := range r.Seals.All() {
			u, err := s.unsealRow(ctx, r, v, stored, row[keys+sources:])
			if err != nil {
				return nil, err
			}
			todo[i*n+j] = u
		}
	}
	flat, err := s.SealEach(ctx, todo)
	if err != nil {
		return nil, err
	}
	out := make([][]any, len(rows))
	for i := range out {
		out[i] = flat[i*n : (i+1)*n]
	}
	return out, nil
}

// unsealRow is unseal for a row that was read: the value may be the row's own, opened.
func (s *steps) unsealRow(ctx context.Context, r *sqlplan.LockedTable, v *sqlplan.Seal, stored, old []any) (sealing.Unsealed, error) {
	if v.Value.Kind != sqlplan.OperandStored {
		return s.Unseal(ctx, v, stored)
	}
	u := sealing.Unsealed{Column: s.run.Engine.columns[v.Column], Schema: v.Schema, Use: v.Term}
	i := slices.Index(r.Old, v.Column)
	if i < 0 {
		return u, fmt.Errorf("%w: the stored value of %s was not read", fault.ErrTableChanged, v.Column.Name)
	}
	if old[i] == nil {
		u.Null = true
		return u, nil
	}
	from, err := s.StoredRow(ctx, v, stored)
	if err != nil {
		return u, err
	}
	if u.Plaintext, u.Null, err = s.run.Engine.funnel.Open(ctx, seal.Request{Column: u.Column, Stored: old[i], Row: from, Statement: s.run.Args.Text, First: true, Strict: true}); err != nil {
		return u, err
	}
	u.Row, err = s.Row(ctx, v, stored)
	return u, err
}
