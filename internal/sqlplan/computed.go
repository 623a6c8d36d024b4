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
	return rc != nil && !rc.Generated && j < len(r.Cells) && k.in.t.table.termOf(k.in.t.table.Sources[i]) == nil && alone(r.Values[j])
}

// alone reports whether an expression depends on nothing but parameters and literals.
func alone(e Expr) bool {
	alone := true
	walk(e, func(e Expr) bool {
		switch e := e.(type) {
		case *Param, *Constant, *Null, *Cast, *Op, *Case, *IsNull:
		case *Call:
			alone = alone && !e.Star && !e.Distinct && !e.Windowed && len(e.Rest) == 0 && !e.returnsRows()
		default:
			alone = false
		}
		return alone
	})
	return alone
}

// span is the text of a source of row n that the server makes.
func (k *serverColumns) span(n, i int, e Expr) Span {
	if computed(e) {
		return k.in.cellSpan(n, k.in.sourceColumn(i))
	}
	return e.At()
}

// cellSpan is the text of the j-th value of row n.
func (in *insertion) cellSpan(n, j int) Span {
	if row := in.s.Rows[n]; j < len(row.Cells) {
		return row.Cells[j]
	}
	return in.s.Rows[n].Values[j].At()
}

// evaluation is the text by which the server makes the sources' values before the
// statement is sent, a row for each row that has any; nil if it makes them during INSERT.
func (k *serverColumns) evaluation(columns []RelationColumn) []part {
	a, in := k.in.a, k.in
	if in.arrays != nil {
		return k.evaluationOfArrays(columns)
	}
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
			case columns[c].Generated:
				before, after := a.d.Assigned(columns[c])
				parts = append(parts, textPart(before+columns[c].Expression+after))
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
		parts = k.proposed(parts, n)
	}
	return parts
}

// computesAny reports whether a source is given as an expression, or generated of what is
// given.
func (k *serverColumns) computesAny() bool {
	for at, e := range k.rows {
		if computed(e) || k.column(at[1]).Generated {
			return true
		}
	}
	return false
}

// generates reports whether the server can compute a generated column of row n before the
// statement is sent: the columns that its expression mentions are given by themselves.
func (k *serverColumns) generates(n int, rc *RelationColumn) bool {
	in := k.in
	if rc.Expression == "" || n >= len(in.s.Rows) || in.a.d.StoredCast(*rc) == "" {
		return false
	}
	for _, c := range k.mentioned(rc) {
		j := in.givenAt(n, c.Name)
		switch {
		case in.a.protectedColumn(in.t.table, c.Name, in.s.Span) != nil || c.Generated || in.a.d.StoredCast(c) == "":
			return false
		case j < 0:
			if c.Default != "" || c.Identity != "" {
				return false
			}
		case !alone(in.s.Rows[n].Values[j]):
			return false
		}
	}
	return true
}

// givenAt is where row n gives a column's value, -1 if it leaves the column to its default.
func (in *insertion) givenAt(n int, name string) int {
	values := in.s.Rows[n].Values
	if j := in.columnIndex(name); j >= 0 && j < len(values) && !isDefault(values[j]) {
		return j
	}
	return -1
}

func isDefault(e Expr) bool {
	_, ok := e.(*Default)
	return ok
}

// mentioned are the columns that a generated column's expression names: the same for every
// row.
func (k *serverColumns) mentioned(rc *RelationColumn) []RelationColumn {
	list, known := k.mentions[rc.Name]
	if known {
		return list
	}
	for _, c := range k.in.t.rel.Columns {
		if rc.names(c.Name) {
			list = append(list, c)
		}
	}
	k.mentions[rc.Name] = list
	return list
}

// names reports whether a generated column's expression names a column.
func (c *RelationColumn) names(column string) bool {
	return mentions(wide(c.Expression), []string{wide(column)})
}

// proposed adds the row n that is to be inserted, in the columns that generated sources
// are computed of and as the table would store them, to the query that computes its sources.
func (k *serverColumns) proposed(parts []part, n int) []part {
	a, in := k.in.a, k.in
	named := map[string]bool{}
	for _, i := range k.sources {
		rc := k.column(i)
		if _, ok := k.rows[[2]int{n, i}]; !ok || !rc.Generated {
			continue
		}
		for _, c := range k.mentioned(rc) {
			if named[c.Name] {
				continue
			}
			lead := ", "
			if len(named) == 0 {
				lead = " FROM (SELECT "
			}
			named[c.Name] = true
			parts = append(parts, textPart(lead+"("))
			if j := in.givenAt(n, c.Name); j < 0 {
				parts = append(parts, textPart("NULL"))
			} else {
				parts = a.plainParts(parts, in.cellSpan(n, j))
			}
			parts = append(parts, textPart(")"+a.d.StoredCast(c)+" AS "+a.d.Quote(c.Name)))
		}
	}
	if len(named) > 0 {
		parts = append(parts, textPart(") "+a.d.Quote("sealsql_row")))
	}
	return parts
}
