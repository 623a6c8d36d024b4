package exec

import (
	"context"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// checkKeys reads the rows that the statement's row keys compare equal to, and
// binds the values to what those rows hold.
func (s *steps) checkKeys(ctx context.Context, checks *sqlplan.KeyChecks, end finish) error {
	seals := append([]sqlplan.Seal(nil), s.run.Plan.Seals...)
	stored := make([][]any, len(seals))
	for i := range checks.Rows {
		k := &checks.Rows[i]
		text, args := s.bind(&k.Text, s.run.Args.Options, nil)
		rows, _, err := query(ctx, s.run.Base, text, args, 1)
		if err == errTooManyRows {
			return &fault.RefusedError{Object: k.Table.Name, What: "the row key that the statement gives means several rows",
				Hint: "make the row key's columns a unique key, or compare them under a case-sensitive collation"}
		}
		if err != nil {
			return err
		}
		if err := width(rows, len(k.Table.Sources)); err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		for _, i := range k.Seals {
			seals[i].Sources = held(seals[i].Sources)
			stored[i] = rows[0]
		}
	}
	sealed, err := s.sealAll(ctx, seals, stored)
	if err != nil {
		return err
	}
	text, args := s.bind(&s.run.Plan.Main, s.run.Args.Options, sealed)
	return end(ctx, text, args, s.run.Plan.Results)
}

func held(sources []sqlplan.Operand) []sqlplan.Operand {
	out := make([]sqlplan.Operand, len(sources))
	for i := range out {
		out[i] = sqlplan.Operand{Kind: sqlplan.OperandStored, Param: i}
	}
	return out
}
