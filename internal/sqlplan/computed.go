package sqlplan

// This file is about context sources that an INSERT gives as expressions, as in
// UUID_TO_BIN(?), lower($1) or now(). The server computes them before the statement is
// sent, and the statement writes what it computed.

// computed reports whether a source's expression is computed by the server, and is not its
// default.
func computed(e Expr) bool {
	_, isDefault := e.(*Default)
	return e != nil && !isDefault && !leafOfServer(e)
}

// leafOfServer reports whether an expression is one for which AUTO_INCREMENT makes a value.
func leafOfServer(e Expr) bool {
	switch e.(type) {
	case *Null, *Constant:
		return true
	}
	return isNull(e)
}

// computes reports whether the server can compute the j-th value of a row, which is that
// of source i, by itself: the value depends on nothing but parameters and literals.
func (k *serverColumns) computes(r ValuesRow, j, i int) bool {
	rc := k.column(i)
	if rc == nil || rc.Generated || j >= len(r.Cells) || k.in.t.table.termOf(k.in.t.table.Sources[i]) != nil {
		return false
	}
	alone := true
	walk(r.Values[j], func(e Expr) bool {
		switch e := e.(type) {
		case *Param, *Constant, *Null, *Cast, *Op, *Case, *IsNull:
		case *Call:
			alone = alone && !e.Star && !e.Distinct && !e.Windowed && len(e.Rest) == 0
		default:
			alone = false
		}
		return alone
	})
	return alone
}

// span is the text of a source of row n that the server makes.
func (k *serverColumns) span(n, i int, e Expr) Span {
	if j := k.in.sourceColumn(i); computed(e) && j < len(k.in.s.Rows[n].Cells) {
		return k.in.s.Rows[n].Cells[j]
	}
	return e.At()
}

// evaluation is the text by which the server makes the sources' values before the
// statement is sent, a row for each row that has any; nil if it makes them during INSERT.
func (k *serverColumns) evaluation(columns []RelationColumn) []part {
	a, in := k.in.a, k.in
	if len(k.rows) == len(k.order)*len(columns) && !k.computesAny() {
		if text := a.d.Evaluate(in.t.rel, columns, len(k.order)); text != "" {
			return []part{textPart(text)}
		}
		return nil
	}
	var parts []part
	for at, n := range k.order {
		if at > 0 {
			parts = append(parts, textPart(" UNION ALL "))
		}
		parts = append(parts, textPart("SELECT "))
		for c, i := range k.sources {
			if c > 0 {
				parts = append(parts, textPart(", "))
			}
			e, ok := k.rows[[2]int{n, i}]
			switch {
			case !ok:
				parts = append(parts, textPart("NULL"+a.d.KeyCast(columns[c])))
			case computed(e):
				before, after := a.d.Assigned(columns[c])
				parts = append(a.plainParts(append(parts, textPart(before)), k.span(n, i, e)), textPart(after))
			default:
				text := a.d.DefaultOf(in.t.rel, columns[c])
				if text == "" {
					return nil
				}
				parts = append(parts, textPart(text))
			}
		}
	}
	return parts
}

// computesAny reports whether a source is given as an expression.
func (k *serverColumns) computesAny() bool {
	for _, e := range k.rows {
		if computed(e) {
			return true
		}
	}
	return false
}
