package sqlplan

import "unsafe"

// planBytes is about what a plan takes that has nothing in its lists.
const planBytes = 512

// Size is about how many bytes of memory the plan keeps, without the text that was planned.
func (p *Plan) Size() int {
	n := planBytes + p.Main.size() + p.Seals.size()
	for _, set := range p.Results {
		n += len(set.Columns)*int(unsafe.Sizeof(ResultColumn{})+unsafe.Sizeof(ResultProtected{})) + len(set.Filters)*int(unsafe.Sizeof(Filter{}))
		for _, f := range set.Filters {
			n += len(f.Seals) * int(unsafe.Sizeof(0))
		}
	}
	switch r := p.Route.(type) {
	case *RowByRow:
		n += r.size()
	case *ServerKey:
		n += r.size()
	case *KeyChecks:
		n += r.size()
	}
	return n
}

func (t *Template) size() int {
	return len(t.Text) + cap(t.Args)*int(unsafe.Sizeof(Arg{})) + cap(t.holes)*int(unsafe.Sizeof(hole{}))
}

func (l *Seals) size() int {
	n := cap(l.packed)*int(unsafe.Sizeof(packedSeal{})) + cap(l.numbers)*int(unsafe.Sizeof(int32(0))) + cap(l.texts)*int(unsafe.Sizeof(""))
	for _, list := range [][]Seal{l.few, l.shapes} {
		for i := range list {
			n += int(unsafe.Sizeof(Seal{})) + len(list[i].Sources)*int(unsafe.Sizeof(Operand{}))
		}
	}
	for _, t := range l.texts {
		n += len(t)
	}
	return n
}

func (r *RowByRow) size() int {
	n := r.text.size() + r.text.builtBytes()
	if r.Guarded != nil {
		n += r.text.builtBytes()
	}
	for _, t := range r.Tables {
		n += planBytes + t.Lock.size() + t.Seals.size()
	}
	return n
}

func (d *draftText) size() int {
	return len(d.text) + cap(d.places)*int(unsafe.Sizeof(place{})) + len(d.expands)*int(unsafe.Sizeof(expansion{})+unsafe.Sizeof(d))
}

func (k *ServerKey) size() int {
	n := planBytes + k.Evaluate.size() + k.Reserve.size() + cap(k.UpdateRow)*int(unsafe.Sizeof(0))
	for i := range k.Update {
		n += int(unsafe.Sizeof(Template{})) + k.Update[i].size()
	}
	if k.Checks != nil {
		n += k.Checks.size()
	}
	if k.Filled != nil {
		n += k.Filled.size()
	}
	return n
}

func (f *Filled) size() int {
	n := planBytes + f.From.size() + f.ByKey.size() + len(f.Columns)*int(unsafe.Sizeof(FilledColumn{}))
	for i := range f.Find {
		n += int(unsafe.Sizeof(Template{})) + f.Find[i].size()
	}
	for _, r := range f.Rows {
		n += int(unsafe.Sizeof(r))
		for _, key := range r.Keys {
			n += int(unsafe.Sizeof(key)) + cap(key)*int(unsafe.Sizeof(Arg{}))
		}
	}
	return n
}

func (k *KeyChecks) size() int {
	n := k.Guarded.size() + cap(k.rows)*int(unsafe.Sizeof(checkedRow{})) + cap(k.args)*int(unsafe.Sizeof(Arg{})) + cap(k.seals)*int(unsafe.Sizeof(int32(0)))
	for _, t := range k.texts {
		n += planBytes + len(t.text) + cap(t.holes)*int(unsafe.Sizeof(hole{}))
	}
	return n
}
