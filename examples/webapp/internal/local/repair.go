package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/rekey"
)

// repair gives the values that were written while KMS in a Region was away that
// Region's wrapping, as the command sealsql repair does. Until then one Region
// alone opens them.
func (w *World) repair(ctx context.Context) (string, error) {
	if err := w.inUse(ctx); err != nil {
		return "", err
	}
	db, err := w.admin(w.writer, database)
	if err != nil {
		return "", err
	}
	defer db.Close()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(w.writer))
	if err != nil {
		return "", err
	}
	repaired := int64(0)
	for {
		r, err := rekey.Run(ctx, rekey.Config{DB: db, Policy: w.policy, Options: []driver.Option{driver.WithAWSConfig(cfg)}, Mode: rekey.Repair, Table: "accounts", Column: "pin"})
		if err != nil {
			return "", err
		}
		repaired += r.Changed
		if r.Changed == 0 { // nothing was written meanwhile without a wrapping
			break
		}
	}
	if reader := w.db[other(w.writer)]; reader != nil {
		if err := reader.CatchUp(ctx, w.db[w.writer]); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d values that lacked a Region's wrapping have it now.", repaired), nil
}

// inUse waits until the writing site calls KMS in both Regions again.
func (w *World) inUse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := w.sites[w.writer].Store.Stats()
		if err != nil {
			return err
		}
		held := false
		for _, s := range all {
			for _, r := range s.KMSRegions {
				held = held || r.BreakerOpen
			}
		}
		if !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("KMS in a Region is still held back; heal it first")
		case <-tick.C:
		}
	}
}
