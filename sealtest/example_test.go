package sealtest_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/sealtest"
)

// The matcher takes what opens to the value in the right place, and nothing
// else. With sqlmock it goes into WithArgs; a Kit's knows the policy.
func ExampleSealed() {
	c, err := codec.New(codec.Config{Keyring: sealtest.Keyring()})
	if err != nil {
		log.Fatal(err)
	}
	parameter, err := c.Encrypt(context.Background(), nil, []byte("900-12-3456"),
		codec.Context{"account_number": "4000000001", "sealsql:table": "accounts", "sealsql:column": "ssn"})
	if err != nil {
		log.Fatal(err)
	}
	ssn := sealtest.Sealed("900-12-3456").In("accounts", "ssn")
	fmt.Println("its row:", ssn.Row("4000000001").Match(parameter))
	fmt.Println("another row:", ssn.Row("4000000002").Match(parameter))
	fmt.Println("a plaintext:", ssn.Match("900-12-3456"))
	// Output:
	// its row: true
	// another row: false
	// a plaintext: false
}

// The fake KMS is reached by the real SDK clients.
func ExampleKMS() {
	kms := sealtest.NewKMS()
	defer kms.Close()
	key := kms.CreateKey("us-east-1")
	cfg := kms.AWSConfig("us-east-1") // for driver.WithAWSConfig
	out, err := kms.Client("us-east-1").DescribeKey(context.Background(), &awskms.DescribeKeyInput{KeyId: &key})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cfg.Region, out.KeyMetadata.KeyState)
	// Output: us-east-1 Enabled
}

// The recorder is a sink; WaitFor returns an alert as soon as it is there.
func ExampleRecorder() {
	var alerts sealtest.Recorder // driver.WithSink(&alerts)
	go func() {
		_ = alerts.Alert(context.Background(), alert.Event{Kind: alert.Mismatch, Table: "accounts", Column: "ssn"})
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := alerts.WaitFor(ctx, alert.Mismatch)
	fmt.Println(e.Kind, e.Table, e.Column, err)
	// Output: mismatch accounts ssn <nil>
}

// The proxy stands between the application and its database. In a test,
// proxy.Check(t) fails it.
func ExampleLeakProxy() {
	database, err := net.Listen("tcp", "127.0.0.1:0") // the real one
	if err != nil {
		log.Fatal(err)
	}
	defer database.Close()
	proxy, err := sealtest.NewLeakProxy(database.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Watch("900-12-3456"); err != nil {
		log.Fatal(err)
	}
	app, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		log.Fatal(err)
	}
	server, err := database.Accept()
	if err != nil {
		log.Fatal(err)
	}
	text := "INSERT INTO accounts VALUES (x'3930302d31322d33343536')"
	fmt.Fprint(app, text)
	if _, err := server.Read(make([]byte, len(text))); err != nil {
		log.Fatal(err)
	}
	for _, leak := range proxy.Leaks() {
		fmt.Println(leak)
	}
	_, _ = app.Close(), server.Close()
	_ = proxy.Close()
	// Output: watched value 0 passed to the server as hex
}
