package exec

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec/packet"
)

// fits refuses what the server would not take.
func (e *Engine) fits(text string, args []sqldriver.NamedValue) error {
	return packet.Fits(text, args, e.session.MaxPacket)
}

// fittingBase is a base of steps whose texts grow with the rows that were read.
type fittingBase struct {
	Base
	engine *Engine
}

// Exec implements [Base].
func (b fittingBase) Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if err := b.engine.fits(text, args); err != nil {
		return nil, err
	}
	return b.Base.Exec(ctx, text, args)
}

// Query implements [Base].
func (b fittingBase) Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error {
	if err := b.engine.fits(text, args); err != nil {
		return err
	}
	return b.Base.Query(ctx, text, args, read)
}
