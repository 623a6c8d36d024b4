// Package lineage compares what a plan says of the columns that a statement returns with
// what the server says of them. It does not rely on the planner.
package lineage

import (
	"context"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Compare compares what the server describes with what the plan expects, and returns a
// refusal if they differ. No expected columns means that the plan expects no protected
// value. err says that the catalog could not be read.
func Compare(ctx context.Context, rules *sqlplan.Rules, relations *catalog.Catalog, columns []server.Origin, want []sqlplan.ResultColumn) (differs, err error) {
	if len(want) > 0 && len(want) != len(columns) {
		return differ("", fmt.Sprintf("the server describes %d result columns, and the analysis expects %d", len(columns), len(want))), nil
	}
	shown := make([]origin, len(columns))
	for i, c := range columns {
		if shown[i], err = originOf(ctx, rules, relations, c); err != nil {
			return nil, err
		}
	}
	for i, o := range shown {
		var p *sqlplan.ResultProtected
		if len(want) > 0 {
			p = want[i].Protected
		}
		switch {
		case o.table == nil:
		case p == nil && o.protected():
			return differ(o.String(), fmt.Sprintf("the server says that result column %d shows a protected value, and the analysis does not", i+1)), nil
		case p != nil && (p.Table != o.table || p.Column.Name != o.column):
			return differ(o.String(), fmt.Sprintf("the server says that result column %d shows another column than the analysis does", i+1)), nil
		}
		if p != nil {
			if differs := compareSources(p, shown); differs != nil {
				return differs, nil
			}
		}
	}
	return nil, nil
}

// compareSources checks that the columns which a value is verified against are those of
// its own table.
func compareSources(p *sqlplan.ResultProtected, shown []origin) error {
	for k, at := range p.Sources {
		if at < 0 || shown[at].table == nil {
			continue
		}
		if o := shown[at]; o.table != p.Table || o.column != p.Table.Sources[k] {
			return differ(p.Table.Name+"."+p.Column.Name, fmt.Sprintf("the server says that result column %d is not %s.%s, which the value is bound to", at+1, p.Table.Name, p.Table.Sources[k]))
		}
	}
	return nil
}

func differ(object, what string) error {
	return &fault.RefusedError{Object: object, What: what, Hint: "select the protected columns and the row key from the table itself, and report the statement: the analysis is wrong about it"}
}

// origin is the column of a protected table, or of a view of the policy, that a result
// column shows. table is nil for every other.
type origin struct {
	table  *sqlplan.Table
	column string
}

func (o origin) String() string { return o.table.Name + "." + o.column }

func (o origin) protected() bool {
	for _, c := range o.table.Columns {
		if c.Name == o.column {
			return true
		}
	}
	return false
}

func originOf(ctx context.Context, rules *sqlplan.Rules, relations *catalog.Catalog, c server.Origin) (origin, error) {
	if c.Relation == 0 {
		return origin{}, nil
	}
	r, err := relations.ColumnsOf(ctx, c.Relation)
	if err != nil || r.Columns[c.Column] == "" {
		return origin{}, err // a table of a transaction that is not committed yet
	}
	is := func(schema, name string) bool { return r.Name == name && (schema == "" || r.Schema == schema) }
	for _, t := range rules.Tables {
		if is(t.Schema, t.Name) {
			return origin{t, r.Columns[c.Column]}, nil
		}
	}
	for _, v := range rules.Views {
		if is(v.Schema, v.Name) {
			return origin{v.Table, r.Columns[c.Column]}, nil
		}
	}
	return origin{}, nil
}
