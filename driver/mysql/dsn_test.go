package mysql

import (
	"maps"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// TestOwnParametersAreTakenOutOfTheDSN wherever they stand, with slashes as they are.
func TestOwnParametersAreTakenOutOfTheDSN(t *testing.T) {
	for _, c := range []struct {
		name, dsn, want string
		params          map[string]string
	}{
		{"a plain absolute path", "app@tcp(db:3306)/shop?sealsql_policy=/etc/sealsql/policy.yaml", "app@tcp(db:3306)/shop", map[string]string{"sealsql_policy": "/etc/sealsql/policy.yaml"}},
		{"an encoded path", "app@tcp(db:3306)/shop?sealsql_policy=%2Fetc%2Fsealsql%2Fpolicy.yaml", "app@tcp(db:3306)/shop", map[string]string{"sealsql_policy": "/etc/sealsql/policy.yaml"}},
		{"a relative path", "app@tcp(db:3306)/shop?sealsql_policy=conf/p.yaml&parseTime=true", "app@tcp(db:3306)/shop?parseTime=true", map[string]string{"sealsql_policy": "conf/p.yaml"}},
		{"between others", "/shop?loc=Europe%2FBerlin&sealsql_policy=/p.yaml&parseTime=true", "/shop?loc=Europe%2FBerlin&parseTime=true", map[string]string{"sealsql_policy": "/p.yaml"}},
		{"two of them", "/shop?sealsql_policy=/etc/p.yaml&sealsql_policy_watch=5s", "/shop", map[string]string{"sealsql_policy": "/etc/p.yaml", "sealsql_policy_watch": "5s"}},
		{"two of them around another", "/shop?sealsql_policy_watch=5s&tls=true&sealsql_policy=/etc/p.yaml", "/shop?tls=true", map[string]string{"sealsql_policy": "/etc/p.yaml", "sealsql_policy_watch": "5s"}},
		{"a socket", "app@unix(/run/mysqld/mysqld.sock)/shop?sealsql_policy=/etc/p.yaml", "app@unix(/run/mysqld/mysqld.sock)/shop", map[string]string{"sealsql_policy": "/etc/p.yaml"}},
		{"a path with a question mark", "/shop?sealsql_policy=/etc/p?.yaml", "/shop", map[string]string{"sealsql_policy": "/etc/p?.yaml"}},
		{"a space in the path", "/shop?sealsql_policy=/etc/my%20policy.yaml", "/shop", map[string]string{"sealsql_policy": "/etc/my policy.yaml"}},
		{"no database", "app@tcp(db)/?sealsql_policy=/p.yaml", "app@tcp(db)/", map[string]string{"sealsql_policy": "/p.yaml"}},
		{"a password with an ampersand", "app:p&sealsql_policy=x@tcp(db)/shop", "app:p&sealsql_policy=x@tcp(db)/shop", nil},
		{"none", "app@tcp(db)/shop?parseTime=true", "app@tcp(db)/shop?parseTime=true", nil},
	} {
		got, params, err := splitDSN(c.dsn)
		if err != nil || got != c.want || !maps.Equal(params, c.params) {
			t.Errorf("%s: %q, %v, %v; want %q, %v", c.name, got, params, err, c.want, c.params)
		}
		if _, err := mysql.ParseDSN(got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, dsn := range []string{"/shop?sealsql_policy=", "/shop?sealsql_policy", "/shop?sealsql_policy=%zz", "/shop?tls=true&sealsql_policy=&x=1"} {
		if _, _, err := splitDSN(dsn); err == nil {
			t.Errorf("%s: no error", dsn)
		}
	}
}
