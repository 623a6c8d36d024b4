package mysql_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log"

	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
)

// dsn is that of a database of which the policy protects accounts.ssn; see
// main_test.go:
//
//	app@tcp(db.example:3306)/shop?sealsql_policy=policy.yaml
var dsn string

func Example() {
	db, err := sql.Open("sealsql-mysql", dsn) // it was "mysql"
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	_, err = db.Exec("INSERT INTO accounts (account_number, name, ssn) VALUES (?, ?, ?)", "4000000001", "Ada", "900-12-3456")
	if err != nil {
		log.Fatal(err)
	}
	var name, ssn string
	err = db.QueryRow("SELECT name, ssn FROM accounts WHERE account_number = ?", "4000000001").Scan(&name, &ssn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name, len(ssn), "characters")

	err = db.QueryRow("SELECT name FROM accounts WHERE ssn = ?", "900-12-3456").Scan(&name)
	fmt.Println("search by SSN is refused:", errors.Is(err, driver.ErrRefused))
	// Output:
	// Ada 11 characters
	// search by SSN is refused: true
}
