package exec

import (
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// termOf describes the terms of a column under one of its keys to the planner; nil if
// there are none.
func termOf(c *seal.Column, key int) *sqlplan.Term {
	s := c.Search()
	if s == nil || key >= len(s.Terms) {
		return nil
	}
	return &sqlplan.Term{Column: s.Terms[key].Column, Base64: c.Base64(), Size: storageOf(c).Stored(s.TermSize()), Exact: s.Exact(), Folds: s.Normalises("casefold"), Trims: s.Normalises("trim"),
		Scope: s.Scope, Sources: s.Sources, Always: !s.ShownOnly}
}

func storageOf(c *seal.Column) policy.Storage {
	if c.Base64() {
		return policy.Base64
	}
	return policy.Binary
}
