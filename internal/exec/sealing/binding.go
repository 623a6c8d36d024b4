// Package sealing makes what a statement sends in the place of values: it reads the values
// that the plan names out of the arguments, binds them to their rows, has the funnel seal
// them or make their equality terms, and fills the holes of texts.
package sealing

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

// ErrRetyped is returned before a statement's own text is sent, if another session changed
// the type of a column that values are bound to. What was known of tables is forgotten then.
var ErrRetyped = fmt.Errorf("%w: the type of a column that values are bound to has changed; run the statement again", fault.ErrTableChanged)

// Engine is the policy at work, with what the live catalog shows of its tables.
type Engine interface {
	// Column and SealedTable return what a plan names.
	Column(c *sqlplan.Column) *seal.Column
	SealedTable(t *sqlplan.Table) *seal.Table
	// Shape describes a table's sources. schema is as in [sqlplan.Seal].
	Shape(ctx context.Context, t *seal.Table, schema string) (*seal.Shape, error)
	// Seal seals a plaintext for a row.
	Seal(ctx context.Context, c *seal.Column, schema string, row seal.Row, plaintext []byte, statement string) (any, error)
	Funnel() *seal.Funnel
}

// Binding is what one run seals: the user's arguments, and what was read from the
// server for it. It is not safe for concurrent use.
type Binding struct {
	Values server.Values
	Params []sqldriver.NamedValue
	// Server holds the values that the server made, a row for each row of the
	// statement.
	Server [][]any
	// Rows is how many rows the statement takes out of arrays; Made are the arrays of what the
	// server made for them, as the statement sends them.
	Rows int64
	Made []any
	// Groups holds the rows of each table that is written row by row.
	Groups []Group

	engine Engine
	text   string // the user's, for events
	sure   Sure
	owned  bool // Params is not the user's slice any more
	arrays map[array][]any
	// alikeKey is what given values that tests compare are hashed under, once it is made.
	alikeKey  [32]byte
	alikeMade sync.Once
}

// Sure fails with [ErrRetyped] if a given value of a source means another key than the
// statement was planned for.
type Sure func(ctx context.Context, s *sqlplan.Seal, c *server.Column, v any) error

// Group is the rows of one table: their keys, as they were read, and what was
// sealed for them.
type Group struct{ Rows, Sealed [][]any }

// New returns the binding of a statement that has the text and the arguments.
func New(engine Engine, values server.Values, text string, params []sqldriver.NamedValue, sure Sure) *Binding {
	b := &Binding{engine: engine, Values: values, text: text, Params: params, sure: sure}
	for i, p := range b.Params {
		if _, asks := p.Value.(sqldriver.Valuer); !asks {
			continue
		}
		// It is asked once, whatever the number of texts and of rows that take it. An
		// error is the base driver's to report.
		if sent, err := b.Values.Sent(server.KeyUnsupported, p.Value); err == nil {
			b.send(i, sent)
		}
	}
	return b
}

// Unsealed is a value on its way to being sealed.
type Unsealed struct {
	Column    *seal.Column
	Schema    string // as in [sqlplan.Seal]
	Plaintext []byte
	Null      bool
	Row       seal.Row
	Use       sqlplan.TermUse

	// isArray is set for an array that is not NULL: each are its elements.
	isArray bool
	each    []Unsealed
}

// unfit is the error of a value that does not fit the column.
func (u *Unsealed) unfit(err error) error {
	return u.Column.Error(fault.ErrValue, "", "pass a value of the column's type",
		fmt.Errorf("the value given cannot be stored as %s: %w", u.Column.Type, err))
}

// SealAll seals every value, several at a time. The results are in the order
// of seals; nil stands for NULL. stored holds, for each seal, the values of
// Table.Sources that its row holds, where they were read; it may be nil.
func (b *Binding) SealAll(ctx context.Context, seals sqlplan.Seals, stored [][]any) ([]any, error) {
	// Arguments are read one after the other: a Valuer need not be safe for
	// concurrent use.
	todo, err := b.UnsealAll(ctx, seals, stored)
	defer Wipe(todo)
	if err != nil {
		return nil, err
	}
	return b.SealEach(ctx, todo)
}

// UnsealAll returns the plaintexts of the seals and the rows they belong to.
func (b *Binding) UnsealAll(ctx context.Context, seals sqlplan.Seals, stored [][]any) ([]Unsealed, error) {
	todo := make([]Unsealed, seals.Len())
	for i, s := range seals.All() {
		var (
			row []any
			err error
		)
		if stored != nil {
			row = stored[i]
		}
		if todo[i], err = b.Unseal(ctx, s, row); err != nil {
			return todo, err
		}
	}
	return todo, nil
}

// Wipe clears plaintexts.
func Wipe(todo []Unsealed) {
	for _, u := range todo {
		clear(u.Plaintext)
		Wipe(u.each)
	}
}

// SealEach is SealAll for values that were read.
func (b *Binding) SealEach(ctx context.Context, todo []Unsealed) ([]any, error) {
	out := make([]any, len(todo))
	ciphertexts := 0
	for i := range todo {
		u := &todo[i]
		if u.isArray {
			each, err := b.SealEach(ctx, u.each)
			if err != nil {
				return out, err
			}
			out[i] = u.arrayOf(each)
		} else if u.Use == sqlplan.TermUnused {
			ciphertexts++
		}
	}
	if ciphertexts <= 1 { // terms wait for nobody once their key is there
		for i := range todo {
			if err := b.sealOne(ctx, todo, out, i); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	err := parallel.Each(ctx, len(todo), sealLimit, func(ctx context.Context, i int) error { return b.sealOne(ctx, todo, out, i) })
	return out, err
}

// sealOne puts what is sent in place of a value, which is no array, among the others.
func (b *Binding) sealOne(ctx context.Context, todo []Unsealed, out []any, i int) (err error) {
	if !todo[i].isArray {
		out[i], err = b.sent(ctx, &todo[i])
	}
	return err
}

// sent returns what is sent in place of a value: its ciphertext, its term, or nil for
// NULL.
func (b *Binding) sent(ctx context.Context, u *Unsealed) (any, error) {
	switch {
	case u.Null:
		return nil, nil
	case u.Use == sqlplan.TermNull:
		return notNull(u.Column), nil
	case u.Use.Tests():
		return b.alike(u), nil
	case u.Use != sqlplan.TermUnused:
		return b.term(ctx, u)
	}
	return b.engine.Seal(ctx, u.Column, u.Schema, u.Row, u.Plaintext, b.text)
}

// Unseal returns the plaintext of the seal's value and the row it belongs to.
func (b *Binding) Unseal(ctx context.Context, s *sqlplan.Seal, stored []any) (Unsealed, error) {
	u := Unsealed{Column: b.engine.Column(s.Column), Schema: s.Schema, Use: s.Term}
	if s.Value.Kind == sqlplan.OperandEach {
		return u, b.unsealEach(ctx, s, &u)
	}
	value, err := b.value(s.Value)
	switch {
	case err != nil:
	case u.Use == sqlplan.TermNull:
		value, err = server.Plain(value)
		u.Null = value == nil
		return u, err
	}
	if err == nil && s.Compared {
		err = sameKind(u.Column, s.Value, value)
	}
	if err == nil {
		err = b.encodeGiven(&u, s.Value, value)
	}
	if err == nil && s.NotNull && u.Null {
		err = errors.New("it is NULL, and INSERT IGNORE would store an empty row key")
	}
	if err != nil && u.Use.Tests() {
		err = b.spell(&u, value)
	}
	if err != nil {
		return u, u.unfit(err)
	}
	if !u.Null && !u.Use.Tests() {
		u.Row, err = b.Row(ctx, s, stored)
		err = u.noRow(err)
	}
	return u, err
}

// noRow has NULL be sent in the place of a value that no row is given.
func (u *Unsealed) noRow(err error) error {
	if errors.Is(err, seal.ErrNoRow) {
		u.Null, err = true, nil
	}
	return err
}

// encodeGiven is encode for the value of an operand, which NULLIF may make NULL.
func (b *Binding) encodeGiven(u *Unsealed, o sqlplan.Operand, v any) error {
	if n := o.NullIf; n != nil {
		literal, err := n.Literal.Value()
		if err == nil {
			v, err = u.Column.NullIf(b.Values, v, literal, n.Loose)
		}
		if err != nil {
			return err
		}
	}
	return b.encode(u, v)
}

// NullOrEmpty reports whether the value to seal is NULL, and whether its plaintext is
// empty. It fails if the value does not fit its column.
func (b *Binding) NullOrEmpty(s *sqlplan.Seal) (null, empty bool, err error) {
	u := Unsealed{Column: b.engine.Column(s.Column), Schema: s.Schema}
	value, err := b.value(s.Value)
	if err == nil {
		err = b.encodeGiven(&u, s.Value, value)
	}
	defer clear(u.Plaintext)
	if err != nil {
		return false, false, u.unfit(err)
	}
	return u.Null, len(u.Plaintext) == 0, nil
}

// encode sets the plaintext of a value that the statement gives.
func (b *Binding) encode(u *Unsealed, v any) (err error) {
	u.Plaintext, u.Null, err = u.Column.EncodeGiven(b.Values, v)
	return err
}

// source returns what an operand that gives a source stands for, and has the statement
// send it so: the server must store what the value is sealed for.
// element is the entry of the arrays that the row belongs to.
func (b *Binding) source(ctx context.Context, s *sqlplan.Seal, i, element int) (any, error) {
	o := s.Sources[i]
	shape, err := b.engine.Shape(ctx, b.engine.SealedTable(s.Table), s.Schema)
	if err != nil {
		return nil, err
	}
	var v any
	switch {
	case o.Kind != sqlplan.OperandEach:
		v, err = b.value(o)
	case o.Of != nil:
		v, err = b.element(o.Param, b.engine.Column(o.Of).InClear(), element)
	default:
		v, err = b.element(o.Param, shape.Sources[i].Key, element)
	}
	if err != nil {
		return nil, err
	}
	if o.Of != nil {
		return b.termSource(ctx, s, o, v, element)
	}
	sent, err := b.Values.Sent(shape.Sources[i].Key, v)
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

// AsRead returns what source i of the seal's table is read as, if it holds just the text
// that an operand gives; ok is false for another value than a string.
func (b *Binding) AsRead(ctx context.Context, s *sqlplan.Seal, i int, o sqlplan.Operand) (v any, ok bool, err error) {
	v, err = b.value(o)
	text, ok := v.(string)
	if err != nil || !ok {
		return nil, false, err
	}
	shape, err := b.engine.Shape(ctx, b.engine.SealedTable(s.Table), s.Schema)
	if err == nil {
		err = b.sure(ctx, s, &shape.Sources[i], text)
	}
	return []byte(text), true, err
}

// send has a value sent in the place of the user's argument.
func (b *Binding) send(param int, value any) {
	if !b.owned {
		b.Params, b.owned = slices.Clone(b.Params), true
	}
	b.Params[param].Value = value
}

// value returns what an operand stands for.
func (b *Binding) value(o sqlplan.Operand) (any, error) {
	switch o.Kind {
	case sqlplan.OperandParam:
		if o.Param >= len(b.Params) {
			return nil, errors.New("the statement has no such parameter")
		}
		return b.Params[o.Param].Value, nil
	case sqlplan.OperandLiteral:
		return o.Literal.Value()
	case sqlplan.OperandNull:
		return nil, nil
	}
	return nil, errors.New("the statement does not give the value")
}

// Row binds what the seal sends to the row that the statement writes. stored holds the
// values of Table.Sources that the row holds; it may be nil.
func (b *Binding) Row(ctx context.Context, s *sqlplan.Seal, stored []any) (seal.Row, error) {
	return b.rowOf(ctx, s, stored, 0)
}

// rowOf is Row for an element of the arrays that the statement gives.
func (b *Binding) rowOf(ctx context.Context, s *sqlplan.Seal, stored []any, element int) (seal.Row, error) {
	if s.Term != sqlplan.TermUnused {
		return b.termRow(ctx, s, b.engine.Column(s.Column), stored, element)
	}
	row := seal.Row{Sources: make([]string, len(s.Table.Sources))}
	return row, b.bindRow(ctx, s, row, false, b.sources(ctx, s, stored, element))
}

// sources returns the values of the sources of the row that the statement writes.
func (b *Binding) sources(ctx context.Context, s *sqlplan.Seal, stored []any, element int) func(i int) (seal.Source, error) {
	return func(i int) (seal.Source, error) {
		o := s.Sources[i]
		src := seal.Source{From: seal.Shown, Written: o.Written, NotZero: o.NotZero, Sought: o.Sought}
		var err error
		switch o.Kind {
		case sqlplan.OperandStored:
			src.Value = stored[o.Param]
		case sqlplan.OperandServer:
			row := o.Row
			if s.Value.Kind == sqlplan.OperandEach {
				row = element
			}
			src.Value = b.Server[row][o.Param]
		default:
			src.From = seal.Given
			src.Value, err = b.source(ctx, s, i, element)
		}
		return src, err
	}
}

// StoredRow binds the seal's column to the row as it was read.
func (b *Binding) StoredRow(ctx context.Context, s *sqlplan.Seal, stored []any) (seal.Row, error) {
	row := seal.MakeRow(len(s.Table.Sources))
	return row, b.bindRow(ctx, s, row, true, func(i int) (seal.Source, error) {
		return seal.Source{Value: stored[i], From: seal.Shown}, nil
	})
}

func (b *Binding) bindRow(ctx context.Context, s *sqlplan.Seal, row seal.Row, legacy bool, source func(int) (seal.Source, error)) error {
	col := b.engine.Column(s.Column)
	shape, err := b.engine.Shape(ctx, col.Table, s.Schema)
	if err != nil {
		return err
	}
	err = col.Bind(row, shape, b.Values, legacy, source)
	if errors.Is(err, ErrRetyped) {
		return ErrRetyped
	}
	if errors.Is(err, seal.ErrNoRow) {
		return seal.ErrNoRow
	}
	if err != nil {
		return col.Error(fault.ErrValue, "", "give the row key a value of its column's type", err)
	}
	return nil
}

// Bind fills the holes of a template.
func (b *Binding) Bind(t *sqlplan.Template, options []sqldriver.NamedValue, sealed []any) (string, []sqldriver.NamedValue) {
	args := make([]sqldriver.NamedValue, 0, len(options)+len(t.Args))
	args = append(args, options...)
	for _, a := range t.Args {
		nv := sqldriver.NamedValue{}
		switch a.Kind {
		case sqlplan.ArgUser:
			nv = b.Params[a.Index]
		case sqlplan.ArgSeal:
			nv.Value = sealed[a.Index]
		case sqlplan.ArgKey:
			nv.Value = b.Values.Again(b.Groups[a.Group].Rows[a.Row][a.Index])
		case sqlplan.ArgRowSeal:
			nv.Value = b.Groups[a.Group].Sealed[a.Row][a.Index]
		case sqlplan.ArgServer:
			nv.Value = b.Values.Again(b.Server[a.Row][a.Index])
		case sqlplan.ArgServerEach:
			nv.Value = b.Made[a.Index]
		case sqlplan.ArgRows:
			nv.Value = b.Rows
		}
		nv.Ordinal = len(args) + 1
		args = append(args, nv)
	}
	return t.Text, args
}
