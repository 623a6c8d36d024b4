package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/internal/visitor"
	"github.com/sealsql/sealsql/examples/webapp/policies"
)

// TestOneRegionOverItsSettings runs the command's other mode, which is deployed,
// over a database, secrets and keys that it finds by flags and environment alone.
func TestOneRegionOverItsSettings(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w, err := local.Start(ctx, local.Config{Engine: "postgres", Keys: policies.PerRegion, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv("AWS_REGION", local.Regions[1])
	t.Setenv("DATABASE_SECRET", "twinport/database")
	t.Setenv("OPERATOR_SECRET", "twinport/operators")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- runRegion(serving, flags{dsn: w.DSN(local.Regions[0]), replica: w.DSN(local.Regions[1]), keys: policies.PerRegion, listen: addr, other: "https://other.example", plain: true})
	}()
	waitFor(ctx, t, "http://"+addr+"/healthz")
	v, err := visitor.New("http://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Create(ctx, "7700000001", "deployed", "975310")
	if err != nil || got.Outcome != "created" { // to the writer
		t.Fatalf("create: %+v, %v", got, err)
	}
	if err := w.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err = v.Authenticate(ctx, "7700000001", "975310"); err != nil || got.Outcome != "yes" { // from the replica
		t.Fatalf("sign in: %+v, %v", got, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func waitFor(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.Get(url)
		if err == nil {
			_ = res.Body.Close() // its status is what counts
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
