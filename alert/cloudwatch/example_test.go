package cloudwatch_test

import (
	"os"

	"github.com/sealsql/sealsql/alert/cloudwatch"
	"github.com/sealsql/sealsql/driver"
)

// On Fargate and Lambda, lines on standard output become metrics. A policy
// says the same with alerts: [cloudwatch: {namespace: shop, emf: true}].
func ExampleNewEMF() {
	option := driver.WithSink(cloudwatch.NewEMF(os.Stdout, "shop"))
	_ = option // for driver.NewConnector
	// Output:
}
