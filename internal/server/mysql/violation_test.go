package mysql

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

func TestViolationReadsMessages(t *testing.T) {
	for _, test := range []struct {
		name    string
		number  uint16
		message string
		want    server.Violation
		ok      bool
	}{
		{"MariaDB names the key", 1062, "Duplicate entry 'x' for key 'email'", server.Violation{Key: "email"}, true},
		{"MySQL names table and key", 1062, "Duplicate entry 'x' for key 'users.email'", server.Violation{Table: "users", Key: "email"}, true},
		{"another language", 1062, "Doppelter Eintrag 'x' für Schlüssel 'email'", server.Violation{Key: "email"}, true},
		{"the words after the key", 1062, "Duplikalt bejegyzes 'x' a 'email' kulcs szerint.", server.Violation{Key: "email"}, true},
		{"an entry that looks like a key", 1062, "Duplicate entry 'x' for key 'phone'' for key 'email'", server.Violation{Key: "email"}, true},
		{"a column that cannot be NULL", 1048, "Column 'email_eq' cannot be null", server.Violation{Column: "email_eq"}, true},
		{"an apostrophe after the column", 1364, "Field 'email_eq' doesn't have a default value", server.Violation{Column: "email_eq"}, true},
		{"no name", 1062, "Duplicate entry", server.Violation{}, false},
		{"another error", 1213, "Deadlock found on 'email'", server.Violation{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare := &mysql.MySQLError{Number: test.number, Message: test.message}
			got, ok := Server{}.Violation(bare)
			if ok != test.ok || got.Table != test.want.Table || got.Key != test.want.Key || got.Column != test.want.Column {
				t.Fatalf("%+v, %v", got, ok)
			}
			if !ok {
				return
			}
			named := got.Naming("email", "; a fact")
			if e, is := named.(*mysql.MySQLError); !is || e.Number != test.number || e.Message != test.message+"; a fact" || bare.Message != test.message {
				t.Errorf("%#v", named)
			}
		})
	}
}

func TestAWrappedViolationStaysWrapped(t *testing.T) {
	bare := &mysql.MySQLError{Number: 1062, Message: "Duplicate entry 'x' for key 'email'"}
	wrapped := fmt.Errorf("traced: %w", bare)
	v, ok := Server{}.Violation(wrapped)
	if !ok {
		t.Fatal("it is no violation")
	}
	named := v.Naming("email", "; a fact")
	if e, is := errors.AsType[*mysql.MySQLError](named); !is || e != bare || !errors.Is(named, wrapped) || named.Error() != wrapped.Error()+"; a fact" {
		t.Errorf("%#v", named)
	}
}
