package exec

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rowByRow locks and reads the rows that an UPDATE will write, seals a value
// for each, and writes them in one statement.
func (s *steps) rowByRow(ctx context.Context, r *sqlplan.RowByRow, end finish) error {
	counts, found, read := make([]int, len(r.Tables)), 0, 0
	s.groups = make([]group, len(r.Tables))
	for i, p := range r.Tables {
		rows, err := s.lockRows(ctx, p)
		if err != nil {
			return err
		}
		read += len(rows)
		rows = distinct(rows, len(p.Table.RowKey))
		if len(rows) > p.MaxRows {
			return tooMany(p)
		}
		s.groups[i].rows, counts[i], found = rows, len(rows), found+len(rows)
	}
	if found == 0 {
		text, args := s.bind(&r.Empty, s.run.Args.Options, nil)
		return end(ctx, text, args, s.run.Plan.Results)
	}
	for i, p := range r.Tables {
		var err error
		if s.groups[i].sealed, err = s.sealRows(ctx, p, s.groups[i].rows, len(p.Table.RowKey)); err != nil {
			return err
		}
	}
	if r.Counted && !(r.CountsChanges && s.sealsNull()) {
		s.locked = read
	}
	t := r.Build(counts...)
	text, args := s.bind(&t, s.run.Args.Options, nil)
	return end(ctx, text, args, s.run.Plan.Results)
}

// sealsNull reports whether NULL is written for a value: the row may hold it already.
func (s *steps) sealsNull() bool {
	for _, g := range s.groups {
		for _, row := range g.sealed {
			if slices.Contains(row, nil) {
				return true
			}
		}
	}
	return false
}

// allWritten fails unless as many rows were written as were locked.
func (s *steps) allWritten(written int64) error {
	if s.locked == 0 || written == int64(s.locked) {
		return nil
	}
	return fmt.Errorf("%w: %d rows were locked for the statement and %d were written; roll back", fault.ErrTableChanged, s.locked, written)
}

// lockRows locks and reads the rows of one table.
func (s *steps) lockRows(ctx context.Context, r *sqlplan.LockedTable) ([][]any, error) {
	text, args := s.bind(&r.Lock, s.run.Args.Options, nil)
	rows, _, err := query(ctx, s.run.Base, text, args, lockedMost(r))
	if err == nil {
		err = width(rows, len(r.Table.RowKey)+len(r.Table.Sources)+len(r.Old))
	}
	if err == errTooManyRows {
		return nil, tooMany(r)
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
	sources, n := len(r.Table.Sources), len(r.Seals)
	todo := make([]unsealed, len(rows)*n)
	defer wipe(todo)
	for i, row := range rows {
		stored := row[keys : keys+sources]
		for j := range r.Seals {
			u, err := s.unsealRow(ctx, r, &r.Seals[j], stored, row[keys+sources:])
			if err != nil {
				return nil, err
			}
			todo[i*n+j] = u
		}
	}
	flat, err := s.sealEach(ctx, todo)
	if err != nil {
		return nil, err
	}
	out := make([][]any, len(rows))
	for i := range out {
		out[i] = flat[i*n : (i+1)*n]
	}
	return out, nil
}

// unsealRow is unseal for a row that was read: the value may be the one that
// the row holds, opened.
func (s *steps) unsealRow(ctx context.Context, r *sqlplan.LockedTable, v *sqlplan.Seal, stored, old []any) (unsealed, error) {
	if v.Value.Kind != sqlplan.OperandStored {
		return s.unseal(ctx, v, stored)
	}
	u := unsealed{column: s.engine.columns[v.Column]}
	i := slices.Index(r.Old, v.Column)
	if i < 0 {
		return u, fmt.Errorf("%w: the stored value of %s was not read", fault.ErrTableChanged, v.Column.Name)
	}
	if old[i] == nil {
		u.null = true
		return u, nil
	}
	from, err := s.storedRow(ctx, v, stored)
	if err != nil {
		return u, err
	}
	if u.plaintext, u.null, err = s.engine.funnel.Open(ctx, seal.Request{Column: u.column, Stored: old[i], Row: from, Statement: s.text, First: true, Strict: true}); err != nil {
		return u, err
	}
	u.row, err = s.row(ctx, v, stored)
	return u, err
}
