package postgres

import (
	_ "embed" // the DDL

	"github.com/sealsql/sealsql/codec/branchkey"
)

//go:embed branchkeys.sql
var branchKeyDDL string

// BranchKeySQL implements [server.Server].
func (Server) BranchKeySQL() branchkey.SQL {
	return branchkey.SQL{DDL: branchKeyDDL, Placeholder: jobs{}.Placeholder, TextAsBytes: false}
}
