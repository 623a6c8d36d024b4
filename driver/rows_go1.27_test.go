//go:build go1.27

package driver

import (
	sqldriver "database/sql/driver"
	"testing"
)

// Go 1.27's RowsColumnScanner has Scan ask the driver's rows for each column, past
// Next: a wrapper that had it because the base has it would hand out ciphertexts. Rows
// of unprotected statements are the base's own and keep it.
func TestNoRowsOfProtectedStatementsScanColumns(t *testing.T) {
	for set := range uint(64) {
		if _, ok := combineRows(&rows{}, set).(sqldriver.RowsColumnScanner); ok {
			t.Errorf("set %b scans columns", set)
		}
	}
}
