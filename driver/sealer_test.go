package driver_test

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/sealtest"
)

// TestASealerWithoutADatabaseNeedsSchemaAndDialect, since it has nobody to ask.
func TestASealerWithoutADatabaseNeedsSchemaAndDialect(t *testing.T) {
	keys := driver.WithKeyring("customer-pii", sealtest.Keyring())
	for name, opts := range map[string][]driver.Option{
		"neither":        nil,
		"no schema":      {driver.WithDialect(postgres.Dialect)},
		"no dialect":     {driver.WithSchema(shopSchema)},
		"both are there": {driver.WithSchema(shopSchema), driver.WithDialect(postgres.Dialect)},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := driver.NewSealer(nil, append(opts, driver.WithPolicy(shopPolicy), keys)...)
			if name == "both are there" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "WithSchema and WithDialect") {
				t.Errorf("%v", err)
			}
		})
	}
}
