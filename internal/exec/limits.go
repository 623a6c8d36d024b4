package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/sealsql/sealsql/fault"
)

// maxParameters is how many parameters one text may have: both protocols count them in
// two bytes.
const maxParameters = 65535

// fits refuses what the server would not take. Ciphertexts are longer than the values that
// the statement gives, and literals and terms become parameters, so that a statement may
// exceed limits that it keeps without sealsql.
func (e *Engine) fits(text string, args []sqldriver.NamedValue) error {
	if len(args) > maxParameters {
		return &fault.RefusedError{What: fmt.Sprintf("the statement takes %d parameters with those of protected values, and a statement can have %d", len(args), maxParameters),
			Hint: "send fewer rows at once"}
	}
	most := e.session.MaxPacket
	if most == 0 {
		return nil
	}
	size := int64(len(text))
	for i := range args {
		switch v := args[i].Value.(type) {
		case []byte:
			size += int64(len(v))
		case string:
			size += int64(len(v))
		}
	}
	if size >= most {
		return &fault.RefusedError{What: fmt.Sprintf("the statement takes %d bytes with its ciphertexts, and the server's max_allowed_packet is %d", size, most),
			Hint: "send fewer rows at once, or raise max_allowed_packet"}
	}
	return nil
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
