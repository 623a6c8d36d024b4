package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// Test runs an example on each of the servers, through a proxy that fails the
// test if an SSN passes, and checks that none is printed.
func Test(t *testing.T, servers string, example Example) { Customers.Test(t, servers, example) }

// Test is [Test] on another database.
func (d Database) Test(t *testing.T, servers string, example Example) {
	for _, name := range strings.Fields(servers) {
		t.Run(name, func(t *testing.T) {
			start := testdb.Postgres
			if name == "mysql" {
				start = testdb.MySQL
			}
			s := start(t)
			proxy := s.Proxy(t)
			if err := proxy.Watch(d.Values...); err != nil {
				t.Fatal(err)
			}
			for _, v := range []string{"SEALSQL_DEMO_KEY", "SEALSQL_DEMO_RAW_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_KMS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
				t.Setenv(v, "") // restored when the test ends; Run sets them
			}
			_, dsn := s.DSN(proxy.Addr(), s.NewDatabase(t))
			var out bytes.Buffer
			if err := d.Run(t.Context(), &out, t.TempDir(), name, dsn, example); err != nil {
				t.Fatal(err)
			}
			for _, v := range d.Values {
				if strings.Contains(out.String(), v) {
					t.Error("the example prints a protected value")
				}
			}
			t.Log("\n" + out.String())
		})
	}
}
