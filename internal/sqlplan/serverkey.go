package sqlplan

// serverColumns are the context sources of an INSERT that the server makes.
type serverColumns struct {
	in      *insertion
	sources []int // indexes in Table.Sources
	// rows says, for each row and source, what stands in the statement: nil where the
	// column is left out, DEFAULT, or what the server computes.
	rows map[[2]int]Expr
	// order lists the rows that the server makes a value for; places finds one.
	order  []int
	places map[int]int
	key    *ServerKey // set once the route is known
	// mentions are the columns that a generated source is computed of, by its name.
	mentions map[string][]RelationColumn
}

func newServerColumns(in *insertion) *serverColumns {
	return &serverColumns{in: in, rows: map[[2]int]Expr{}, places: map[int]int{}, mentions: map[string][]RelationColumn{}}
}

// column is the catalog's description of a source.
func (k *serverColumns) column(i int) *RelationColumn {
	return k.in.a.relationColumn(k.in.t.rel, k.in.t.table.Sources[i])
}

// makes reports whether the server makes the source's value where e stands.
func (k *serverColumns) makes(e Expr, i int) bool {
	rc := k.column(i)
	if rc == nil {
		return false
	}
	if rc.Identity != "" && k.in.s.Overriding == "user" {
		return true // whatever is given
	}
	if rc.AutoIncrement {
		c, ok := e.(*Constant)
		if isNull(e) || ok && !k.in.a.d.ZeroIsGiven() && c.Value.Kind == LiteralInteger && c.Value.Text == "0" {
			return true
		}
	}
	_, isDefault := e.(*Default)
	return isDefault && (rc.Default != "" || rc.Identity != "" || rc.AutoIncrement)
}

// omitted notes a source that the statement leaves out.
func (k *serverColumns) omitted(p pins, n, i int) {
	rc := k.column(i)
	switch {
	case rc == nil:
	case rc.Generated:
		if k.generates(n, rc) {
			k.note(n, i, nil)
		}
	case wholeNumber(rc.Default) && k.in.a.d.GivesDefault():
		// A server that cannot be asked for its defaults shows them.
		p[i] = value{kind: valueGiven, cells: []Expr{&Constant{Span: k.in.s.Target.Span, Value: Literal{Kind: LiteralInteger, Text: rc.Default}}}}
	case rc.Default != "" || rc.Identity != "" || rc.AutoIncrement:
		k.note(n, i, nil)
	default:
		p[i] = value{kind: valueNull}
	}
}

func wholeNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// note notes a source of row n that the server makes.
func (k *serverColumns) note(n, i int, e Expr) {
	k.rows[[2]int{n, i}] = e
	if _, known := k.places[n]; !known {
		k.places[n] = len(k.order)
		k.order = append(k.order, n)
	}
	for _, s := range k.sources {
		if s == i {
			return
		}
	}
	k.sources = append(k.sources, i)
}

// operand returns the operand of a source that the server makes for row n.
func (k *serverColumns) operand(n, i int) (Operand, bool) {
	e, ok := k.rows[[2]int{n, i}]
	if !ok {
		return Operand{}, false
	}
	for at, s := range k.sources {
		if s == i {
			o := Operand{Kind: OperandServer, Param: at, Row: k.places[n], Written: computed(e)}
			if o.Written {
				k.in.markAuto(&o, i)
			}
			return o, true
		}
	}
	return Operand{}, false
}

// used reports whether a seal depends on a value that the server makes.
func (k *serverColumns) used() bool {
	for _, s := range k.in.a.seals {
		for _, o := range s.Sources {
			if o.Kind == OperandServer {
				return true
			}
		}
	}
	return false
}

// finish decides how the server's values become known.
func (k *serverColumns) finish() {
	a, in := k.in.a, k.in
	if a.err != nil || len(k.sources) == 0 || !k.used() {
		return
	}
	if a.explain && !a.executes {
		k.explained()
		return
	}
	object := in.t.table.Name
	columns := k.columns()
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Name
	}
	parts := k.evaluation(columns)
	switch {
	case (!in.alone || a.nested > 0) && (parts == nil || in.checks != nil || len(a.script.Statements) > 1):
		a.refuseWithin(in.s.Span, object, "the server makes the row key of a protected value within a larger statement", "give the row key, or send the INSERT by itself")
	case in.s.Overriding == "user":
		a.refuse(in.s.OverridingSpan, object, "OVERRIDING USER VALUE with a row key that the server makes", "leave the clause out")
	}
	if a.err != nil {
		return
	}
	key := &ServerKey{Table: in.t.table, Columns: names, InsertedRows: InsertedRows{Rows: in.count()}}
	if in.arrays != nil {
		key.Mode, key.Arrays = ServerKeyEvaluate, in.arrays.params
		key.Evaluate = finish(a.d, nil, parts)
		k.insertArrays(columns)
	} else if parts != nil {
		key.Mode, key.Checks, key.Rows = ServerKeyEvaluate, in.checks, len(k.order)
		var of *placeholders // none of the user's
		if k.computesAny() {
			of = a.placeholders()
		}
		k.key = key
		key.Evaluate = finish(a.d, of, parts)
		k.insertEvaluated(columns)
	} else {
		k.insertCounted(key, columns)
	}
	k.key = key
	a.take(key, in.s.Span)
}

// columns are the catalog's descriptions of the sources.
func (k *serverColumns) columns() []RelationColumn {
	columns := make([]RelationColumn, len(k.sources))
	for i, s := range k.sources {
		columns[i] = *k.column(s)
	}
	return columns
}

// explained leaves out the values of a statement that is not carried out, since
// no key is made for their rows.
func (k *serverColumns) explained() {
	a := k.in.a
	for i := range a.seals {
		for _, o := range a.seals[i].Sources {
			if o.Kind == OperandServer && a.seals[i].Value.Kind != OperandNull {
				a.withheld = append(a.withheld, a.seals[i])
				a.seals[i].Value = Operand{Kind: OperandNull}
			}
		}
	}
}

// insertEvaluated writes the evaluated values into the statement.
func (k *serverColumns) insertEvaluated(columns []RelationColumn) {
	a, s := k.in.a, k.in.s
	always := false
	for at, i := range k.sources {
		if columns[at].Generated {
			continue // the server computes it again
		}
		always = always || columns[at].Identity == "always"
		made := func(n int, alone bool) []part {
			p := argPart(argOfRow(ArgServer, at, k.places[n], 0))
			if alone {
				p.around = a.around("", a.d.KeyCast(columns[at]))
			}
			return []part{p}
		}
		if k.in.columnIndex(k.in.t.table.Sources[i]) < 0 {
			insertSite{k.in}.add(columns[at].Name, made)
			continue
		}
		for n := range s.Rows {
			if e, ok := k.rows[[2]int{n, i}]; ok {
				a.replace(k.span(n, i, e), made(n, false)...)
			}
		}
	}
	if always && s.Overriding == "" {
		a.insertText(s.SourceStart, "OVERRIDING SYSTEM VALUE ")
	}
	if len(s.Rows) > 1 && always && s.Overriding == "" {
		k.sameRows() // the server rejects a key that is given where it always makes it
	}
}

// sameRows refuses a statement that leaves some keys to the server and gives others.
func (k *serverColumns) sameRows() {
	for _, i := range k.sources {
		for n := range k.in.s.Rows {
			if _, ok := k.rows[[2]int{n, i}]; !ok {
				k.in.a.refuse(k.in.s.Rows[n].Span, k.in.t.table.Name, "some rows give their row key and others leave it to the server", "insert them by two statements")
				return
			}
		}
	}
}

// returned lets a RETURNING clause show the keys that the server made.
func (k *serverColumns) returned(out output) {
	a, key := k.in.a, k.key
	if a.err != nil || key == nil || key.Mode == ServerKeyEvaluate {
		return
	}
	key.Returning = true
	key.shows = out.expose(k.in.t.item.row, key.Columns[0], false)
	if key.shows == nil {
		a.refuse(k.in.s.Span, key.Table.Name, "a RETURNING clause that cannot show the row key that the server makes", "return columns of the table")
	}
}
