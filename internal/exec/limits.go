package exec

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec/packet"
)

// fittingBase is a base of steps whose texts grow with the rows that were read.
type fittingBase struct {
	Base
	most int64 // see [packet.Fits]
}

// Exec implements [Base].
func (b fittingBase) Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if err := packet.Fits(text, args, b.most); err != nil {
		return nil, err
	}
	return b.Base.Exec(ctx, text, args)
}

// Query implements [Base].
func (b fittingBase) Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error {
	if err := packet.Fits(text, args, b.most); err != nil {
		return err
	}
	return b.Base.Query(ctx, text, args, read)
}
