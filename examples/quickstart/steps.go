package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
)

func showStored(ctx context.Context, env *environment) error {
	stored, err := rows(ctx, env.bare)
	if err != nil {
		return err
	}
	if len(stored) != len(customers) {
		return fmt.Errorf("the table holds %d rows, want %d", len(stored), len(customers))
	}
	for _, c := range customers {
		raw := stored[c.account]
		if bytes.Contains(raw, []byte(c.ssn)) {
			return fmt.Errorf("the row of %s holds its SSN in clear", c.account)
		}
		m, err := codec.Parse(raw)
		if err != nil {
			return err
		}
		fmt.Printf("   %s  %d bytes: %x…\n      encryption context %v\n", c.account, len(raw), raw[:24], m.Context())
	}
	return nil
}

func readBack(ctx context.Context, env *environment) error {
	for _, c := range customers {
		var name, ssn string
		err := env.sealed.QueryRowContext(ctx, env.sql("SELECT c.name, c.ssn FROM "+table+" AS c WHERE c.account_number = ?"), c.account).Scan(&name, &ssn)
		if err != nil {
			return err
		}
		if name != c.name || ssn != c.ssn {
			return fmt.Errorf("the row of %s came back changed", c.account)
		}
		fmt.Printf("   %s  %-14s  %s\n", c.account, name, ssn)
	}
	return nil
}

// swap plays an attacker who can write to the database: both values are
// genuine ciphertexts, each in the other's row.
func swap(ctx context.Context, env *environment) error {
	stored, err := rows(ctx, env.bare)
	if err != nil {
		return err
	}
	a, b := customers[0].account, customers[1].account
	update := env.sql("UPDATE " + table + " SET ssn = ? WHERE account_number = ?")
	for account, raw := range map[string][]byte{a: stored[b], b: stored[a]} {
		if _, err := env.bare.ExecContext(ctx, update, raw, account); err != nil {
			return err
		}
	}
	var ssn string
	err = env.sealed.QueryRowContext(ctx, env.sql("SELECT ssn FROM "+table+" WHERE account_number = ?"), a).Scan(&ssn)
	if !errors.Is(err, driver.ErrMismatch) {
		return fmt.Errorf("a swapped value was not detected: got error %v", err)
	}
	fmt.Println("   the application gets an error, not another person's SSN:\n     ", err)
	select {
	case e := <-env.alerts:
		if e.Kind != alert.Mismatch || e.RowKeyDigest != alert.RowKeyDigest(table, a) {
			return fmt.Errorf("the alert is of kind %s for row %s", e.Kind, e.RowKeyDigest)
		}
		fmt.Printf("   the security team gets an alert:\n      %v\n", e.LogValue())
	case <-time.After(10 * time.Second):
		return errors.New("no alert was raised for a swapped value")
	}
	return nil
}

func refuse(ctx context.Context, env *environment) error {
	query := "SELECT account_number FROM " + table + " WHERE ssn = ?"
	err := env.sealed.QueryRowContext(ctx, env.sql(query), customers[2].ssn).Scan(new(string))
	if !errors.Is(err, driver.ErrRefused) {
		return fmt.Errorf("a comparison with a protected column was not refused: got error %v", err)
	}
	fmt.Printf("   %s\n      %v\n", query, err)
	return nil
}
