package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/parallel"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// sealLimit bounds how many values of one statement are sealed at a time.
const sealLimit = 64

// binding is what one run seals: the user's arguments, and what was read from the
// server for it.
type binding struct {
	engine *Engine
	values server.Values
	text   string // the user's, for events
	params []sqldriver.NamedValue
	owned  bool // params is not the user's slice any more
	// server holds the values that the server made, a row for each row of the
	// statement.
	server [][]any
	busy   bool // see [Run.Busy]
	// alikeKey is what given values that tests compare are hashed under, once it is made.
	alikeKey  [32]byte
	alikeMade sync.Once
	// groups holds the rows of each table that is written row by row.
	groups []group
}

// group is the rows of one table: their keys, as they were read, and what was
// sealed for them.
type group struct{ rows, sealed [][]any }

func (r Run) binding() *binding {
	b := &binding{engine: r.Engine, values: r.Engine.config.Server.Values(r.Engine.session, r.Conn, r.Args.Options), text: r.Args.Text, params: r.Args.Params, busy: r.Busy}
	for i, p := range b.params {
		if _, asks := p.Value.(sqldriver.Valuer); !asks {
			continue
		}
		// It is asked once, whatever the number of texts and of rows that take it. An
		// error is the base driver's to report.
		if sent, err := b.values.Sent(server.KeyUnsupported, p.Value); err == nil {
			b.send(i, sent)
		}
	}
	return b
}

// unsealed is a value on its way to being sealed.
type unsealed struct {
	column    *seal.Column
	schema    string // as in [sqlplan.Seal]
	plaintext []byte
	null      bool
	row       seal.Row
	use       sqlplan.TermUse
	each      []unsealed // the elements of an array, for [sqlplan.TermEach]
}

// unfit is the error of a value that does not fit the column.
func (u *unsealed) unfit(err error) error {
	return u.column.Error(fault.ErrValue, "", "pass a value of the column's type",
		fmt.Errorf("the value given cannot be stored as %s: %w", u.column.Type, err))
}

// sealAll seals every value, several at a time. The results are in the order
// of seals; nil stands for NULL. stored holds, for each seal, the values of
// Table.Sources that its row holds, where they were read; it may be nil.
func (b *binding) sealAll(ctx context.Context, seals sqlplan.Seals, stored [][]any) ([]any, error) {
	// Arguments are read one after the other: a Valuer need not be safe for
	// concurrent use.
	todo, err := b.unsealAll(ctx, seals, stored)
	defer wipe(todo)
	if err != nil {
		return nil, err
	}
	return b.sealEach(ctx, todo)
}

// unsealAll returns the plaintexts of the seals and the rows they belong to.
func (b *binding) unsealAll(ctx context.Context, seals sqlplan.Seals, stored [][]any) ([]unsealed, error) {
	todo := make([]unsealed, seals.Len())
	for i, s := range seals.All() {
		var (
			row []any
			err error
		)
		if stored != nil {
			row = stored[i]
		}
		if todo[i], err = b.unseal(ctx, s, row); err != nil {
			return todo, err
		}
	}
	return todo, nil
}

func wipe(todo []unsealed) {
	for _, u := range todo {
		clear(u.plaintext)
		wipe(u.each)
	}
}

func (b *binding) sealEach(ctx context.Context, todo []unsealed) ([]any, error) {
	out := make([]any, len(todo))
	ciphertexts := 0
	for i := range todo {
		if todo[i].use == sqlplan.TermUnused {
			ciphertexts++
		}
	}
	if ciphertexts <= 1 { // terms wait for nobody once their key is there
		for i := range todo {
			var err error
			if out[i], err = b.sent(ctx, &todo[i]); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	err := parallel.Each(ctx, len(todo), sealLimit, func(ctx context.Context, i int) (err error) {
		out[i], err = b.sent(ctx, &todo[i])
		return err
	})
	return out, err
}

// sent returns what is sent in place of a value: its ciphertext, its term, or nil for
// NULL.
func (b *binding) sent(ctx context.Context, u *unsealed) (any, error) {
	switch {
	case u.null:
		return nil, nil
	case u.use == sqlplan.TermNull:
		return notNull(u.column), nil
	case u.use.Tests():
		return b.alike(u), nil
	case u.use != sqlplan.TermUnused:
		return b.term(ctx, u)
	}
	return b.engine.Seal(ctx, u.column, u.schema, u.row, u.plaintext, b.text)
}

// unseal returns the plaintext of the seal's value and the row it belongs to.
func (b *binding) unseal(ctx context.Context, s *sqlplan.Seal, stored []any) (unsealed, error) {
	u := unsealed{column: b.engine.columns[s.Column], schema: s.Schema, use: s.Term}
	value, err := b.value(s.Value)
	switch {
	case err != nil:
	case u.use == sqlplan.TermEach:
		return u, b.unsealEach(ctx, s, &u, value)
	case u.use == sqlplan.TermNull:
		value, err = server.Plain(value)
		u.null = value == nil
		return u, err
	}
	if err == nil && s.Compared {
		err = sameKind(u.column, s.Value, value)
	}
	if err == nil {
		err = b.encodeGiven(&u, s.Value, value)
	}
	if err == nil && s.NotNull && u.null {
		err = errors.New("it is NULL, and INSERT IGNORE would store an empty row key")
	}
	if err != nil && u.use.Tests() {
		err = b.spell(&u, value)
	}
	if err != nil {
		return u, u.unfit(err)
	}
	if !u.null && !u.use.Tests() {
		u.row, err = b.row(ctx, s, stored)
	}
	return u, err
}

// encodeGiven is encode for the value of an operand, which NULLIF may make NULL.
func (b *binding) encodeGiven(u *unsealed, o sqlplan.Operand, v any) error {
	if n := o.NullIf; n != nil {
		literal, err := n.Literal.Value()
		if err == nil {
			v, err = u.column.NullIf(b.values, v, literal, n.Loose)
		}
		if err != nil {
			return err
		}
	}
	return b.encode(u, v)
}

// encode sets the plaintext of a value that the statement gives.
func (b *binding) encode(u *unsealed, v any) (err error) {
	u.plaintext, u.null, err = u.column.EncodeGiven(b.values, v)
	return err
}

// source returns what an operand that gives a source stands for, and has the statement
// send it so: the server must store what the value is sealed for.
func (b *binding) source(ctx context.Context, s *sqlplan.Seal, i int) (any, error) {
	o := s.Sources[i]
	v, err := b.value(o)
	if err != nil {
		return nil, err
	}
	if o.Of != nil {
		return b.termSource(ctx, s, o, v)
	}
	shape, err := b.engine.Shape(ctx, b.engine.tables[s.Table], s.Schema)
	if err != nil {
		return nil, err
	}
	sent, err := b.values.Sent(shape.Sources[i].Key, v)
	if err == nil {
		err = b.sure(ctx, s, &shape.Sources[i], sent)
	}
	if err != nil || o.Kind != sqlplan.OperandParam {
		return sent, err
	}
	switch v.(type) {
	case nil, string, int64, float64, bool, time.Time:
		return sent, nil // they are sent as they are
	}
	b.send(o.Param, sent)
	return sent, nil
}

// send has a value sent in the place of the user's argument.
func (b *binding) send(param int, value any) {
	if !b.owned {
		b.params, b.owned = slices.Clone(b.params), true
	}
	b.params[param].Value = value
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
		return o.Literal.Value()
	case sqlplan.OperandNull:
		return nil, nil
	}
	return nil, errors.New("the statement does not give the value")
}

// row binds what the seal sends to the row that the statement writes. stored holds the
// values of Table.Sources that the row holds; it may be nil.
func (b *binding) row(ctx context.Context, s *sqlplan.Seal, stored []any) (seal.Row, error) {
	if s.Term != sqlplan.TermUnused {
		return b.termRow(ctx, s, b.engine.columns[s.Column], stored)
	}
	row := seal.Row{Sources: make([]string, len(s.Table.Sources))}
	return row, b.bindRow(ctx, s, row, false, b.sources(ctx, s, stored))
}

// sources returns the values of the sources of the row that the statement writes.
func (b *binding) sources(ctx context.Context, s *sqlplan.Seal, stored []any) func(i int) (seal.Source, error) {
	return func(i int) (seal.Source, error) {
		o := s.Sources[i]
		src := seal.Source{From: seal.Shown, Written: o.Written, NotZero: o.NotZero}
		var err error
		switch o.Kind {
		case sqlplan.OperandStored:
			src.Value = stored[o.Param]
		case sqlplan.OperandServer:
			src.Value = b.server[o.Row][o.Param]
		default:
			src.From = seal.Given
			src.Value, err = b.source(ctx, s, i)
		}
		return src, err
	}
}

// storedRow binds the seal's column to the row as it was read.
func (b *binding) storedRow(ctx context.Context, s *sqlplan.Seal, stored []any) (seal.Row, error) {
	row := seal.MakeRow(len(s.Table.Sources))
	return row, b.bindRow(ctx, s, row, true, func(i int) (seal.Source, error) {
		return seal.Source{Value: stored[i], From: seal.Shown}, nil
	})
}

func (b *binding) bindRow(ctx context.Context, s *sqlplan.Seal, row seal.Row, legacy bool, source func(int) (seal.Source, error)) error {
	col := b.engine.columns[s.Column]
	shape, err := b.engine.Shape(ctx, col.Table, s.Schema)
	if err != nil {
		return err
	}
	err = col.Bind(row, shape, b.values, legacy, source)
	if errors.Is(err, errRetyped) {
		return errRetyped
	}
	if err != nil {
		return col.Error(fault.ErrValue, "", "give the row key a value of its column's type", err)
	}
	return nil
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
			nv.Value = b.values.Again(b.groups[a.Group].rows[a.Row][a.Index])
		case sqlplan.ArgRowSeal:
			nv.Value = b.groups[a.Group].sealed[a.Row][a.Index]
		case sqlplan.ArgServer:
			nv.Value = b.values.Again(b.server[a.Row][a.Index])
		}
		nv.Ordinal = len(args) + 1
		args = append(args, nv)
	}
	return t.Text, args
}
