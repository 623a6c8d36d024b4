package sealpgx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
)

type tenantKey struct{}

const tenantPolicy = `
version: 1
keyrings: {dev: {raw_aes: {namespace: test, name: key, key_env: SEALPGX_TEST_KEY}}}
tables:
  notes:
    row_key: [id]
    columns:
      secret: {keyring: dev, type: string}
`

// TestSettingsOfHooksAreNoticed has code past the package change the search path, so that
// a name means tables whose columns have different orders.
func TestSettingsOfHooksAreNoticed(t *testing.T) {
	p, err := policy.Parse("test", []byte(tenantPolicy))
	if err != nil {
		t.Fatal(err)
	}
	setPath := func(ctx context.Context, c *pgx.Conn) error {
		path, _ := ctx.Value(tenantKey{}).(string)
		_, err := c.Exec(ctx, "SELECT set_config('search_path', $1, false)", path)
		return err
	}
	ways := map[string]func(*pgxpool.Config){
		"PrepareConn": func(c *pgxpool.Config) {
			c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) { return true, setPath(ctx, conn) }
		},
		"BeforeAcquire": func(c *pgxpool.Config) {
			//lint:ignore SA1019 pgxpool still calls it
			c.BeforeAcquire = func(ctx context.Context, conn *pgx.Conn) bool { return setPath(ctx, conn) == nil }
		},
		"the connection beneath": nil,
	}
	for name, configure := range ways {
		s := newSite(t, "")
		s.watch(t, "900-12-3456")
		exec(t, s.bare, "CREATE SCHEMA one; CREATE TABLE one.notes (id text PRIMARY KEY, secret bytea); CREATE SCHEMA two; CREATE TABLE two.notes (secret bytea, id text PRIMARY KEY)")
		config := s.config(t, s.proxy.Addr(), 0, "&pool_max_conns=1")
		if configure != nil {
			configure(config)
		}
		pool, err := sealpgx.NewPool(context.Background(), config, driver.WithPolicy(p))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		for _, path := range []string{"one", "two", "one", "two"} {
			ctx := context.WithValue(context.Background(), tenantKey{}, path)
			args := map[string][]any{"one": {"id", "900-12-3456"}, "two": {"900-12-3456", "id"}}[path]
			err := pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
				if configure == nil {
					if err := setPath(ctx, c.Conn()); err != nil {
						return err
					}
				}
				_, err := c.Exec(ctx, "INSERT INTO notes VALUES ($1, $2)", args...)
				var got string
				err = errors.Join(err, c.QueryRow(ctx, "DELETE FROM notes WHERE id = $1 RETURNING secret", "id").Scan(&got))
				if got != "900-12-3456" {
					err = errors.Join(err, errors.New("read "+got))
				}
				return err
			})
			if err != nil {
				t.Errorf("%s, with the path %s: %v", name, path, err)
			}
		}
	}
}
