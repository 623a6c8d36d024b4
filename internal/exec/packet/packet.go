// Package packet refuses statements that are larger than the server takes. Ciphertexts
// are longer than the values that a statement gives, and literals and terms become
// parameters, so that a statement may exceed limits that it keeps without sealsql.
package packet

import (
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/sealsql/sealsql/fault"
)

// MaxParameters is how many parameters one text may have: both protocols count them in
// two bytes.
const MaxParameters = 65535

// Fits refuses what the server would not take. most is the server's max_allowed_packet,
// or 0 if it has no such limit.
func Fits(text string, args []sqldriver.NamedValue, most int64) error {
	if len(args) > MaxParameters {
		return &fault.RefusedError{What: fmt.Sprintf("the statement takes %d parameters with those of protected values, and a statement can have %d", len(args), MaxParameters),
			Hint: "send fewer rows at once"}
	}
	if most == 0 {
		return nil
	}
	size := int64(len(text))
	for i := range args {
		switch v := args[i].Value.(type) {
		case []byte:
			size += int64(len(v))
		case string:
			size += int64(len(v))
		}
	}
	if size >= most {
		return &fault.RefusedError{What: fmt.Sprintf("the statement takes %d bytes with its ciphertexts, and the server's max_allowed_packet is %d", size, most),
			Hint: "send fewer rows at once, or raise max_allowed_packet"}
	}
	return nil
}
