package sqlplan

// The methods below seal the syntax interfaces. A new type of expression does
// not compile until it says what it is made of; TestEveryOperandIsListed holds
// each to its fields.

func (*Query) statement()   {}
func (*Insert) statement()  {}
func (*Update) statement()  {}
func (*Delete) statement()  {}
func (*Merge) statement()   {}
func (*Utility) statement() {}

func (*Query) queryBody()  {}
func (*Select) queryBody() {}
func (*SetOp) queryBody()  {}
func (*Values) queryBody() {}

func (*TableRef) tableExpr()      {}
func (*Derived) tableExpr()       {}
func (*Join) tableExpr()          {}
func (*TableFunction) tableExpr() {}

func (*ColumnRef) operands(func(Expr)) {}
func (*Param) operands(func(Expr))     {}
func (*Constant) operands(func(Expr))  {}
func (*Null) operands(func(Expr))      {}
func (*Default) operands(func(Expr))   {}
func (*ValuesRef) operands(func(Expr)) {}

func (e *Cast) operands(yield func(Expr))    { yield(e.Expr) }
func (e *Each) operands(yield func(Expr))    { yield(e.Array) }
func (e *IsNull) operands(yield func(Expr))  { yield(e.Expr) }
func (e *Field) operands(yield func(Expr))   { yield(e.Expr) }
func (e *Sub) operands(yield func(Expr))     { yield(e.Test) }
func (e *Row) operands(yield func(Expr))     { each(yield, e.Items) }
func (e *Op) operands(yield func(Expr))      { each(yield, e.Operands) }
func (e *Unknown) operands(yield func(Expr)) { each(yield, e.Children) }
func (e *Call) operands(yield func(Expr))    { each(yield, e.Args, e.Partition, e.Rest) }

func (e *Case) operands(yield func(Expr)) {
	yield(e.Arg)
	for _, w := range e.Whens {
		yield(w.Cond)
		yield(w.Result)
	}
	yield(e.Else)
}

func each(yield func(Expr), lists ...[]Expr) {
	for _, list := range lists {
		for _, e := range list {
			yield(e)
		}
	}
}
