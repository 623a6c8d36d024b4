package sqlplan

// This file adds a column to a source of given values: each row of a VALUES list, each
// SELECT of a union gets one more value, and the queries around show it.

// growReach has the FROM item that the given value comes from show one more column, and
// returns a reference to it, or "". cells writes what belongs to cell n of v.
func (a *analysis) growReach(v value, cells func(n int) part) string {
	if v.row == nil || v.row.item == nil {
		return ""
	}
	it := v.row.item
	c := a.growItem(it, v, cells)
	if c == nil {
		return ""
	}
	return it.text(c.name)
}

// growItem is growReach that returns the item's column.
func (a *analysis) growItem(it *item, v value, cells func(n int) part) *column {
	if it.unnesting != nil {
		return it.unnesting.grow(cells(0))
	}
	if it.out == nil || it.name == "" {
		return nil
	}
	inner := v
	inner.row = v.row.inner
	c := a.grow(it.out, inner, cells)
	if c == nil {
		return nil
	}
	m := it.mapped(c)
	if !it.unique(m.name) {
		return nil
	}
	return m
}

// grow adds the column to what a query returns, or returns nil.
func (a *analysis) grow(out output, v value, cells func(n int) part) *column {
	switch o := out.(type) {
	case *selectOutput:
		return a.growSelect(o, v, cells)
	case *fixedOutput:
		return a.growValues(o, cells)
	case *setOutput:
		return a.growSet(o, v, cells)
	case *renamed:
		return o.added(a.grow(o.out, v, cells))
	case *extended:
		return nil // its further columns stand at the end
	}
	return nil
}

// growSelect adds the column to a SELECT: the values are its own, or of an item in FROM.
func (a *analysis) growSelect(o *selectOutput, v value, cells func(n int) part) *column {
	if o.end < 0 {
		return nil
	}
	if v.row != nil && v.row == o.row {
		p := cells(0)
		if isEach(v.cells[0]) {
			around := p.casts()
			p.around = a.around("unnest("+around.open, around.cast+")")
		}
		return a.growTargets(o, p)
	}
	if v.row == nil || v.row.item == nil {
		return nil
	}
	c := a.growItem(v.row.item, v, cells)
	if c == nil {
		return nil
	}
	list, _ := o.columns()
	for _, shown := range list {
		if shown == c {
			return c // by a star
		}
	}
	return a.growTargets(o, textPart(v.row.item.text(c.name)))
}

// growTargets appends a hidden target.
func (a *analysis) growTargets(o *selectOutput, p part) *column {
	c := &column{name: a.hiddenName(), hidden: true}
	a.insertParts(o.end, textPart(", "), p, textPart(" AS "+a.d.Quote(c.name)))
	o.entries = append(o.entries, entry{single: c})
	return c
}

// growValues adds the column to a VALUES list.
func (a *analysis) growValues(o *fixedOutput, cells func(n int) part) *column {
	for _, r := range o.rows {
		if r.End <= 0 || len(r.Values) != len(o.rows[0].Values) {
			return nil
		}
	}
	if len(o.rows) == 0 || o.unnamed {
		return nil
	}
	for n, r := range o.rows {
		a.tick()
		a.insertParts(r.End, textPart(", "), cells(n))
	}
	c := &column{name: a.d.ValuesColumn(len(o.list)), hidden: true}
	o.list = append(o.list, c)
	return c
}

// growSet adds the column to both branches of a union.
func (a *analysis) growSet(o *setOutput, v value, cells func(n int) part) *column {
	a.tick()
	left, right := shownBy(o.left), shownBy(o.right)
	for i, c := range o.list {
		if !sameCells(c.value, v) || i >= len(left) || i >= len(right) {
			continue
		}
		n := len(left[i].value.cells)
		l := a.grow(o.left, left[i].value, cells)
		if l == nil {
			return nil
		}
		r := a.grow(o.right, right[i].value, func(k int) part { return cells(n + k) })
		if r == nil {
			return nil
		}
		return o.zippedWith(l, r)
	}
	return nil
}

// shownBy lists the columns of a branch. A chain of unions is not walked.
func shownBy(out output) []*column {
	if o, ok := out.(*setOutput); ok {
		return o.list
	}
	list, _ := out.columns()
	return list
}

// sameCells reports whether two values are the same given ones.
func sameCells(a, b value) bool {
	return a.kind == valueGiven && b.kind == valueGiven && a.row == b.row && len(a.cells) == len(b.cells) && len(a.cells) > 0 && &a.cells[0] == &b.cells[0]
}
