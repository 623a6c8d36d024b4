//go:build !deploy

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/load"
	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/policies"
)

// runLocal starts two Regions on this machine.
func runLocal(ctx context.Context, f flags) error {
	engine, keys := "postgres", f.keys
	if f.mysql {
		engine = "mysql"
	}
	if keys == "" {
		keys = policies.PerRegion
	}
	log := io.Discard
	if f.verbose {
		log = os.Stderr
	}
	c := local.Config{Engine: engine, Keys: keys, Ports: []int{8080, 8081}, Log: slog.New(slog.NewTextHandler(log, nil))}
	if f.load > 0 {
		return runLoad(ctx, c, f.load)
	}
	began := time.Now()
	w, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("Two Regions are up on this machine after %s (%s, keys %s):\n\n", time.Since(began).Round(100*time.Millisecond), engine, keys)
	for i, r := range local.Regions {
		fmt.Printf("  %s  %s  %s\n", []string{"primary  ", "secondary"}[i], r, w.URL(r))
	}
	fmt.Printf("\nAccounts to sign in with, number and PIN:\n\n")
	for _, c := range local.Customers {
		fmt.Printf("  %s  %s\n", c.Number, c.PIN)
	}
	fmt.Printf("\nThe security team's pages, with alerts and drills: %s/operations (password %s)\nCtrl-C stops everything.\n", w.URL(local.Regions[0]), local.OperatorPassword)
	<-ctx.Done()
	fmt.Println("\nStopping.")
	return w.Close()
}

// runLoad starts the two Regions for a load and prints its figures.
func runLoad(ctx context.Context, c local.Config, duration time.Duration) error {
	c.Ports, c.Attempts = nil, 1<<30
	w, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("64 clients for %s on %s, keys %s, with a drill every ten seconds\n", duration, c.Engine, c.Keys)
	result, err := load.Run(ctx, w, load.Config{Clients: 64, Duration: duration, Every: 10 * time.Second, Pace: 200 * time.Millisecond, Out: os.Stdout})
	if err == nil {
		err = result.Print(os.Stdout)
	}
	return errors.Join(err, w.Close())
}
