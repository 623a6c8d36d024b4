package load_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/load"
	"github.com/sealsql/sealsql/examples/webapp/internal/local"
	"github.com/sealsql/sealsql/examples/webapp/policies"
)

// TestNoWrongAnswerUnderDrills is the short form of make webapp-load: each
// drill once.
func TestNoWrongAnswerUnderDrills(t *testing.T) {
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			w, err := local.Start(ctx, local.Config{Engine: engine, Keys: policies.PerRegion, Log: slog.New(slog.DiscardHandler), Attempts: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			}()
			r, err := load.Run(ctx, w, load.Config{Clients: 16, Duration: 25 * time.Second, Every: 1200 * time.Millisecond, Pace: 150 * time.Millisecond, Out: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Print(t.Output()); err != nil {
				t.Error(err)
			}
			if r.Drills < 12 || r.Pages["right PIN: yes"] < 100 || r.Pages["wrong PIN: no"] < 20 || r.Pages["create: created"] < 5 {
				t.Errorf("too little was done: %d drills, %v", r.Drills, r.Pages)
			}
		})
	}
}
