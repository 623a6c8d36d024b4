package otel_test

import (
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/sealsql/sealsql/alert/otel"
	"github.com/sealsql/sealsql/driver"
)

// A meter provider of one's own. A policy that says alerts: [otel] uses the
// global one.
func ExampleNew() {
	sink, err := otel.New(sdkmetric.NewMeterProvider())
	if err != nil {
		log.Fatal(err)
	}
	option := driver.WithSink(sink)
	fmt.Println(option != nil, len(otel.Metrics()) > 10)
	// Output: true true
}
