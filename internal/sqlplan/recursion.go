package sqlplan

// recursion is what a recursive CTE returns while its recursive part is analysed: the
// columns of its first part.
type recursion struct {
	output
	first output // beneath the CTE's own names of columns
	added []need
}

// need is a hidden column that the recursive part has the first part show.
type need struct {
	row    *row
	source string
}

// recursion begins the recursive part. The CTE's list of names is completed once, by what both
// parts show.
func (a *analysis) recursion(def *cteDef, first output) *recursion {
	lists := len(a.renames)
	r := &recursion{output: a.cteColumns(def, first), first: first}
	a.renames = a.renames[:lists]
	return r
}

// expose notes what is added: the recursive part is to show it too.
func (r *recursion) expose(of *row, source string, fresh bool) *column {
	before, _ := r.first.columns()
	c := r.output.expose(of, source, fresh)
	if after, _ := r.first.columns(); len(after) > len(before) {
		r.added = append(r.added, need{of, source})
	}
	return c
}

// checkRecursion refuses a recursive CTE unless its recursive part returns, in
// each column, the same kind of value of a row of its own: the lineage of a
// reference to the CTE is otherwise not that of its first part. What the recursive part has
// the first part show in addition, it then shows of its own row.
func (o *setOutput) checkRecursion(around *recursion) {
	left, _ := o.left.columns()
	right, _ := o.right.columns()
	rows := map[*row]*row{}
	broken := len(left) != len(right)+len(around.added)
	for i := 0; i < min(len(left), len(right)) && !broken; i++ {
		broken = !o.recurs(left[i].value, right[i].value, rows)
	}
	for _, n := range around.added {
		of := rows[n.row]
		if broken = broken || of == nil; broken {
			break
		}
		broken = o.right.expose(of, n.source, true) == nil
	}
	if broken && (anyProtected(left) || anyProtected(right)) {
		o.a.refuse(o.op.Span, "", "a recursive query that carries a protected column beside columns of another row", "select the protected column outside the recursion")
	}
}

// recurs reports whether a column of the recursive part may stand for that of the first
// part. rows are the rows of the recursive part by those of the first. A column that the
// recursive part computes stands for any that values are not bound to.
func (o *setOutput) recurs(l, r value, rows map[*row]*row) bool {
	switch {
	case l.kind == valueGiven || r.kind == valueGiven:
		o.a.usePlainly(l, o.op.Span)
		o.a.usePlainly(r, o.op.Span)
		return true
	case l.kind == valueStored && o.sameSource(l, r):
		if rows[l.row] == nil {
			rows[l.row] = r.row
		}
		return rows[l.row] == r.row
	case l.protected() || r.protected() || l.term != nil || r.term != nil:
		return false
	}
	return l.kind != valueStored || o.a.sourceIndex(l.table, l.name) < 0
}
