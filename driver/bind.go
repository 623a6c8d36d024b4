package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// sealLimit bounds how many values of one statement are sealed at a time.
const sealLimit = 64

// binding is what one execution of a plan seals: the user's arguments, and
// what was read from the server for it.
type binding struct {
	engine *engine
	values server.Values
	text   string // the user's, for events
	params []sqldriver.NamedValue
	// server holds the values that the server made, a row for each row of the
	// statement.
	server [][]any
	// groups holds the rows of each table that is written row by row.
	groups []group
}

// newBinding binds the arguments of a statement that runs on base.
func newBinding(e *engine, base sqldriver.Conn, a *server.Arguments) *binding {
	return &binding{engine: e, values: e.server.Values(e.session, base, a.Options), text: a.Text, params: a.Params}
}

// group is the rows of one table: their keys, as they were read, and what was
// sealed for them.
type group struct{ rows, sealed [][]any }

// sealAll seals every value, several at a time. The results are in the order
// of seals; nil stands for NULL. stored holds, for each seal, the values of
// Table.Sources that its row holds, where they were read; it may be nil.
func (b *binding) sealAll(ctx context.Context, seals []sqlplan.Seal, stored [][]any) ([]any, error) {
	// Arguments are read one after the other: a Valuer need not be safe for
	// concurrent use.
	todo := make([]unsealed, len(seals))
	defer func() {
		for _, u := range todo {
			clear(u.plaintext)
		}
	}()
	for i := range seals {
		var (
			row []any
			err error
		)
		if stored != nil {
			row = stored[i]
		}
		if todo[i], err = b.unseal(ctx, &seals[i], row); err != nil {
			return nil, err
		}
	}
	return b.sealEach(ctx, todo)
}

func (b *binding) sealEach(ctx context.Context, todo []unsealed) ([]any, error) {
	out := make([]any, len(todo))
	err := each(ctx, len(todo), sealLimit, func(ctx context.Context, i int) (err error) {
		if u := &todo[i]; !u.null {
			out[i], err = b.seal(ctx, u.column, u.plaintext, u.sources)
		}
		return err
	})
	return out, err
}

// unsealed is a value on its way to being sealed.
type unsealed struct {
	column    *column
	plaintext []byte
	null      bool
	sources   []string
}

// each calls f for 0 to n-1, at most limit at a time, and returns the error of the
// lowest i that failed, or the context's if it ended before all were called. One call runs in the caller's goroutine.
func each(ctx context.Context, n, limit int, f func(ctx context.Context, i int) error) error {
	if n == 0 {
		return nil
	}
	if n == 1 {
		return f(ctx, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first = n
		fail  error
	)
	work := func() {
		for {
			mu.Lock()
			if next == n || ctx.Err() != nil { // what is taken is done: next tells what was left out
				mu.Unlock()
				return
			}
			i := next
			next++
			mu.Unlock()
			if err := f(ctx, i); err != nil {
				mu.Lock()
				// What fails because another failed first says nothing.
				if i < first && (fail == nil || !errors.Is(err, context.Canceled)) {
					first, fail = i, err
				}
				mu.Unlock()
				cancel()
			}
		}
	}
	for range min(limit, n) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if fail == nil && next < n {
		return ctx.Err()
	}
	return fail
}

// unseal returns the plaintext of the seal's value and the row it belongs to.
func (b *binding) unseal(ctx context.Context, s *sqlplan.Seal, stored []any) (unsealed, error) {
	u := unsealed{column: b.engine.columns[s.Column]}
	value, err := b.value(s.Value)
	if err == nil {
		u.plaintext, u.null, err = encodePlaintext(u.column.typ, value)
	}
	if err != nil {
		return u, u.column.valueError(ErrValue, "", "pass a value of the column's type",
			fmt.Errorf("the value given cannot be stored as %s: %w", u.column.typ, err))
	}
	if !u.null {
		u.sources, err = b.sources(ctx, s, stored)
	}
	return u, err
}

// seal seals a plaintext for the row that sources describe and returns it as
// the column stores it.
func (b *binding) seal(ctx context.Context, col *column, plaintext []byte, sources []string) (any, error) {
	if !col.local { // a wrapping may be missing
		ctx = context.WithValue(ctx, sealing{}, &finding{col: col, text: b.text, sources: sources})
	}
	expected := col.borrow(sources)
	message, err := col.codec.Encrypt(ctx, nil, plaintext, expected)
	if err != nil {
		return nil, b.engine.sealFailed(ctx, b, col, sources, err)
	}
	col.giveBack(expected)
	stored, size := any(message), len(message)
	if col.base64 {
		text := base64.StdEncoding.EncodeToString(message)
		stored, size = text, len(text)
	}
	known, err := b.engine.keyColumns(ctx, col.plan.Table)
	if err != nil {
		return nil, err
	}
	if n, ok := known.capacity[col.name]; ok && size > n {
		return nil, col.valueError(ErrValue, "", "make the column wider",
			fmt.Errorf("the ciphertext takes %d bytes, and the column holds %d", size, n))
	}
	col.Sealed.Add(1)
	return stored, nil
}

// value returns what an operand stands for.
func (b *binding) value(o sqlplan.Operand) (any, error) {
	switch o.Kind {
	case sqlplan.OperandParam:
		if o.Param >= len(b.params) {
			return nil, errors.New("the statement has no such parameter")
		}
		return b.params[o.Param].Value, nil
	case sqlplan.OperandLiteral:
		return literalValue(o.Literal)
	case sqlplan.OperandNull:
		return nil, nil
	}
	return nil, errors.New("the statement does not give the value")
}

// sources returns the canonical text of each of the row's context sources that
// the column's context draws on.
func (b *binding) sources(ctx context.Context, s *sqlplan.Seal, stored []any) ([]string, error) {
	col := b.engine.columns[s.Column]
	keys, err := b.engine.keyColumns(ctx, s.Table)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(s.Table.Sources))
	for _, i := range s.Column.Context {
		var v any
		var err error
		switch o := s.Sources[i]; o.Kind {
		case sqlplan.OperandStored:
			v = stored[o.Param]
			out[i], err = b.values.Shown(&keys.columns[i], v)
		case sqlplan.OperandServer:
			v = b.server[o.Row][o.Param]
			out[i], err = b.values.Shown(&keys.columns[i], v)
		default:
			if v, err = b.value(o); err == nil {
				out[i], err = b.values.Given(&keys.columns[i], v)
			}
		}
		if err == nil && s.Sources[i].Kept {
			err = b.values.Keeps(&keys.columns[i], v, out[i])
		}
		if err == nil && s.Sources[i].NotZero && out[i] == "0" {
			err = errors.New("the server makes a key of its own in place of 0; leave the column out or give another value")
		}
		if err != nil {
			return nil, col.valueError(ErrValue, "", "give the row key a value of its column's type",
				fmt.Errorf("%s.%s, which the value is bound to, cannot be used: %w", s.Table.Name, s.Table.Sources[i], err))
		}
	}
	return out, nil
}

// bind fills the holes of a template.
func (b *binding) bind(t *sqlplan.Template, options []sqldriver.NamedValue, sealed []any) (string, []sqldriver.NamedValue) {
	args := make([]sqldriver.NamedValue, 0, len(options)+len(t.Args))
	args = append(args, options...)
	for _, a := range t.Args {
		nv := sqldriver.NamedValue{}
		switch a.Kind {
		case sqlplan.ArgUser:
			nv = b.params[a.Index]
		case sqlplan.ArgSeal:
			nv.Value = sealed[a.Index]
		case sqlplan.ArgKey:
			nv.Value = b.groups[a.Group].rows[a.Row][a.Index]
		case sqlplan.ArgRowSeal:
			nv.Value = b.groups[a.Group].sealed[a.Row][a.Index]
		case sqlplan.ArgServer:
			nv.Value = b.server[a.Row][a.Index]
		}
		nv.Ordinal = len(args) + 1
		args = append(args, nv)
	}
	return t.Text, args
}

// inline writes the sealed values into the text, for a statement that its
// user sent without arguments: several statements in one text, and base
// drivers that prepare whatever has an argument, then stay as they were.
func inline(d server.Server, t *sqlplan.Template, sealed []any) (string, bool) {
	n := 0
	for _, p := range t.Pieces {
		if p.Arg != nil && (!p.Literal || p.Arg.Kind != sqlplan.ArgSeal) {
			return "", false
		}
		n += len(p.Text)
	}
	var s strings.Builder
	s.Grow(n)
	for _, p := range t.Pieces {
		if p.Arg == nil {
			s.WriteString(p.Text)
			continue
		}
		switch v := sealed[p.Arg.Index].(type) {
		case nil:
			s.WriteString("NULL")
		case []byte:
			s.WriteString(d.BytesLiteral(v))
		case string:
			s.WriteString(d.TextLiteral(v))
		}
	}
	return s.String(), true
}
