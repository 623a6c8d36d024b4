package sealing

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// array is an argument, read as the elements of an array for columns of a type.
type array struct {
	param int
	as    server.KeyType
}

// elements returns the elements of an array that the statement gives; null is true for NULL.
func (b *Binding) elements(param int, as server.KeyType) (list []any, null bool, err error) {
	key := array{param, as}
	if list, ok := b.arrays[key]; ok {
		return list, list == nil, nil
	}
	v, err := b.value(sqlplan.Operand{Kind: sqlplan.OperandParam, Param: param})
	if err != nil {
		return nil, false, err
	}
	if list, null, err = b.Values.Elements(as, v); err != nil {
		return nil, false, err
	}
	switch {
	case null:
		list = nil
	case list == nil:
		list = []any{}
	}
	if b.arrays == nil {
		b.arrays = map[array][]any{}
	}
	b.arrays[key] = list
	return list, null, nil
}

// element is entry i of an array; where arrays of different lengths stand side by side, the
// server fills up with NULL.
func (b *Binding) element(param int, as server.KeyType, i int) (any, error) {
	list, _, err := b.elements(param, as)
	if err != nil || i >= len(list) {
		return nil, err
	}
	return list[i], nil
}

// unsealEach returns the plaintexts of an array's elements, and the rows that they belong to.
func (b *Binding) unsealEach(ctx context.Context, s *sqlplan.Seal, u *Unsealed) error {
	elements, null, err := b.elements(s.Value.Param, u.Column.InClear())
	if err != nil {
		return u.Column.Error(fault.ErrValue, "", "pass a slice of values of the column's type", fmt.Errorf("the array given cannot be read: %w", err))
	}
	if u.Null = null; null {
		return nil
	}
	u.isArray, u.each = true, make([]Unsealed, len(elements))
	var shared seal.Row
	own := s.RowsDiffer()
	for i, v := range elements {
		e := &u.each[i]
		e.Column, e.Schema, e.Use = u.Column, u.Schema, u.Use
		if s.Compared {
			err = sameKind(u.Column, sqlplan.Operand{}, v)
		}
		if err == nil {
			err = b.encode(e, v)
		}
		switch {
		case err != nil:
			return e.unfit(err)
		case e.Null || e.Use.Tests() || e.Use == sqlplan.TermNull:
			continue
		case own || i == 0 || shared.Sources == nil:
			row, err := b.rowOf(ctx, s, nil, i)
			if err = e.noRow(err); err != nil {
				return err
			}
			if e.Null {
				continue
			}
			shared = row
		}
		e.Row = shared
	}
	return nil
}

// arrayOf is the array that is sent in the place of an array of values.
func (u *Unsealed) arrayOf(sent []any) any {
	bytes, texts := make([][]byte, len(sent)), make([]*string, len(sent))
	text := u.Column.Base64()
	for i, v := range sent {
		switch v := v.(type) {
		case []byte:
			bytes[i] = v
		case string:
			texts[i], text = &v, true
		}
	}
	if text {
		return texts
	}
	return bytes
}

// CountRows notes how many rows the server makes of arrays that stand side by side.
func (b *Binding) CountRows(params []int) (n int, err error) {
	for _, p := range params {
		list, _, err := b.elements(p, server.KeyUnsupported)
		if err != nil {
			return 0, fmt.Errorf("%w: the array of parameter %d cannot be counted, and the server makes the row keys of its elements: %w; pass a slice, or give the row keys as an array", fault.ErrValue, p+1, err)
		}
		n = max(n, len(list))
	}
	b.Rows = int64(n)
	return n, nil
}

// MakeArrays makes what is sent of the values that the server made, an array for each column.
func (b *Binding) MakeArrays(ctx context.Context, k *sqlplan.ServerKey) error {
	table := b.engine.SealedTable(k.Table)
	shape, err := b.engine.Shape(ctx, table, "")
	if err != nil {
		return err
	}
	b.Made = make([]any, len(k.Columns))
	for c, name := range k.Columns {
		i := slices.Index(k.Table.Sources, name)
		list := make([]string, len(b.Server))
		for n, row := range b.Server {
			if list[n], err = b.Values.Shown(&shape.Sources[i], row[c]); err != nil {
				return fmt.Errorf("%w: a row key that the server made cannot be used: %w; give the row keys as an array", fault.ErrValue, err)
			}
		}
		if b.Made[c], err = b.Values.Array(shape.Sources[i].Key, list); err != nil {
			return fmt.Errorf("%w: row keys that the server made cannot be sent: %w; give them as an array", fault.ErrValue, err)
		}
	}
	return nil
}
