package alert_test

import (
	"fmt"

	"github.com/sealsql/sealsql/alert"
)

// An alert names its row by a digest. Whoever has the row keys finds the row.
func ExampleRowKeyDigest() {
	event := alert.Event{Table: "accounts", RowKeyDigest: "2af6666291f64574a88e385be2fa8c5f"}
	for _, number := range []string{"4000000001", "4000000002"} {
		fmt.Println(number, alert.RowKeyDigest(event.Table, number) == event.RowKeyDigest)
	}
	// Output:
	// 4000000001 true
	// 4000000002 false
}
