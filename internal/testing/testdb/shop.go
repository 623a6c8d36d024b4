package testdb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/sealtest"
)

// shopPolicy is the policy of the documentation's examples.
const shopPolicy = `
version: 1
keyrings:
  customer-pii:
    kms:
      keys: ["${SEALSQL_TEST_KEY}"]
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: customer-pii, type: string}
`

// Shop runs a package's tests with a database of its own, in which there is a
// table accounts whose ssn is protected, and with AWS's environment
// pointing to a fake KMS. dsn is set to the sealsql driver's DSN.
func Shop(m *testing.M, server string, dsn *string) {
	code, err := shop(m, server, dsn)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		code = 1
	}
	os.Exit(code)
}

func shop(m *testing.M, server string, dsn *string) (code int, err error) {
	s, err := Start(server)
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	dir, err := os.MkdirTemp("", "sealsql-shop")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name, bareDSN, err := s.shopDatabase()
	if err != nil {
		return 0, err
	}
	binary := map[string]string{"postgres": "bytea", "mysql": "blob"}[server]
	if err := execBare(name, bareDSN, "CREATE TABLE accounts (account_number varchar(20) PRIMARY KEY, name varchar(100), ssn "+binary+")"); err != nil {
		return 0, err
	}
	kms := sealtest.NewKMS()
	defer kms.Close()
	policy := filepath.Join(dir, "policy.yaml")
	for name, value := range map[string]string{"SEALSQL_TEST_KEY": kms.CreateKey("us-east-1"), "AWS_ENDPOINT_URL_KMS": kms.URL(), "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		err = errors.Join(err, os.Setenv(name, value))
	}
	if err := errors.Join(err, os.WriteFile(policy, []byte(shopPolicy), 0o600)); err != nil {
		return 0, err
	}
	*dsn = bareDSN + "&sealsql_policy=" + url.QueryEscape(policy)
	return m.Run(), nil
}

func (s *Server) shopDatabase() (driver, dsn string, err error) {
	driver, dsn = s.bare("")
	if err := execBare(driver, dsn, "CREATE DATABASE shop"); err != nil {
		return "", "", err
	}
	driver, dsn = s.bare("shop")
	return driver, dsn, nil
}

func execBare(driver, dsn, text string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	_, err = db.Exec(text)
	return errors.Join(err, db.Close())
}
