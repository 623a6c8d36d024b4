package testdb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Products that a server can be.
const (
	productPostgres = "postgres"
	productMySQL    = "mysql"
	productMariaDB  = "mariadb"
)

// choice is the server that an environment variable names.
type choice struct {
	product string
	version string // empty: the version that is installed
	dsn     string // of a server that runs already
	none    bool   // the tests of this dialect are not wanted
}

// none is the value of a variable that leaves out a dialect.
const none = "none"

// choosePostgres reads SEALSQL_POSTGRES.
func choosePostgres(value string) (choice, error) {
	c := choice{product: productPostgres}
	switch version := strings.TrimPrefix(value, "postgres-"); {
	case value == none:
		c.none = true
	case strings.Contains(value, "://"):
		c.dsn = value
	case value == "" || number(version):
		c.version = version
	default:
		return c, fmt.Errorf("SEALSQL_POSTGRES=%s is not a server; write a version such as 18, a DSN such as postgres://user@host/, or none", value)
	}
	return c, nil
}

// chooseMySQL reads SEALSQL_MYSQL.
func chooseMySQL(value string) (choice, error) {
	product, version, _ := strings.Cut(value, "-")
	switch {
	case value == "":
		return choice{product: productMariaDB}, nil
	case value == none:
		return choice{none: true}, nil
	case slices.Contains([]string{productMySQL, productMariaDB}, product) && number(version):
		return choice{product: product, version: version}, nil
	case strings.Contains(value, "("):
		return choice{dsn: value}, nil // the server says which product it is
	}
	return choice{}, fmt.Errorf("SEALSQL_MYSQL=%s is not a server; write mysql-9.7, mariadb-10.11, a DSN such as root@tcp(host)/, or none", value)
}

// number reports whether a text is a version: digits, with dots between.
func number(text string) bool {
	return text != "" && strings.Trim(text, "0123456789.") == "" && text[0] != '.' && text[len(text)-1] != '.'
}

// fetched returns the folder in which scripts/servers.sh unpacked the server, if it did.
func (c choice) fetched() (string, bool) {
	if c.version == "" {
		return "", false
	}
	root := os.Getenv("SEALSQL_SERVERS_DIR")
	if root == "" {
		root = "/var/cache/sealsql/servers"
		if os.Geteuid() != 0 {
			cache, err := os.UserCacheDir()
			if err != nil {
				return "", false
			}
			root = filepath.Join(cache, "sealsql", "servers")
		}
	}
	dir := filepath.Join(root, c.product+"-"+c.version)
	return dir, exists(dir)
}

// missing is the error for a server that is neither fetched nor installed.
func (c choice) missing() error {
	return fmt.Errorf("%s-%s is not on this machine; run scripts/servers.sh %[1]s-%[2]s", c.product, c.version)
}
