package policy_test

import (
	"fmt"
	"log"

	"github.com/sealsql/sealsql/policy"
)

func ExampleParse() {
	p, err := policy.Parse("policy.yaml", []byte(`
version: 1
keyrings:
  customer-pii:
    kms:
      keys: [arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab]
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: customer-pii, type: string}
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range p.Tables() {
		for _, c := range t.Columns {
			fmt.Printf("%s.%s is a %s under %s\n", t.Name, c.Name, c.Type, c.Keyring)
		}
	}
	// Output: accounts.ssn is a string under customer-pii
}

// Every mistake is reported at once, with its place and a hint.
func ExampleParse_mistakes() {
	_, err := policy.Parse("policy.yaml", []byte(`
version: 1
keyrings:
  customer-pii:
    kms:
      keys: [arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab]
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: customer, type: varchar}
`))
	fmt.Println(err)
	// Output:
	// policy: policy.yaml:11:7: tables.accounts.columns.ssn.keyring: there is no keyring "customer"; name one of the keyrings above
	// policy: policy.yaml:11:38: tables.accounts.columns.ssn.type: "varchar" is not known here; write one of string, bytes, int64, float64, bool, timestamp, date, decimal, uuid, json
}
