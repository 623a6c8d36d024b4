package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

// bucket is a token bucket. A nil bucket bounds nothing.
type bucket struct {
	mu     sync.Mutex
	rate   float64 // tokens a second
	tokens float64
	last   time.Time
}

// newBucket holds a tenth of a second's tokens at most, so that a pause is not
// made up for by a burst.
func newBucket(rate float64) *bucket {
	if rate <= 0 {
		return nil
	}
	return &bucket{rate: rate, tokens: rate / 10, last: time.Now()}
}

// take waits until n tokens are there.
func (b *bucket) take(ctx context.Context, n int) error {
	if b == nil || n == 0 {
		return ctx.Err()
	}
	b.mu.Lock()
	now := time.Now()
	b.tokens = min(b.tokens+now.Sub(b.last).Seconds()*b.rate, max(1, b.rate/10))
	b.last = now
	b.tokens -= float64(n) // who comes later waits for what is owed
	wait := time.Duration(-b.tokens / b.rate * float64(time.Second))
	b.mu.Unlock()
	return pause(ctx, wait)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry calls f until it succeeds, fails in a way that again does not take for
// passing, or patience is over: pauses double from 50 ms to 2 s, with jitter.
func retry(ctx context.Context, patience time.Duration, again func(error) bool, f func() error) error {
	began, wait := time.Now(), 50*time.Millisecond
	for {
		err := f()
		if err == nil || ctx.Err() != nil || !again(err) || time.Since(began) > patience {
			return err
		}
		if pause(ctx, wait/2+rand.N(wait)) != nil {
			return err
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// hold waits until the replicas and the rate allow a page, or with ErrStopped until
// the job is told to stop.
func (j *job) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-j.c.Stop:
			cancel(ErrStopped)
		case <-ctx.Done():
		}
	}()
	err := j.c.waitForReplicas(ctx, j.t.jobs)
	if err == nil {
		err = j.rows.take(ctx, j.c.PageRows)
	}
	if err != nil && context.Cause(ctx) == ErrStopped {
		return ErrStopped
	}
	return err
}

// waitForReplicas holds a job back while a replica is too far behind.
func (c *Config) waitForReplicas(ctx context.Context, d server.Jobs) error {
	if c.MaxReplicaLag <= 0 {
		return nil
	}
	ask := c.ReplicaLag
	if ask == nil {
		ask = func(ctx context.Context) (time.Duration, error) {
			lag, err := d.Lag(ctx, c.DB)
			if errors.Is(err, server.ErrLagUnknown) {
				err = fmt.Errorf("%w: %w", ErrConfig, err)
			}
			return lag, err
		}
	}
	for told := false; ; {
		var lag time.Duration
		err := retry(ctx, c.Patience, d.Transient, func() (err error) {
			lag, err = ask(ctx)
			return err
		})
		if err != nil || lag <= c.MaxReplicaLag {
			return err
		}
		if !told {
			c.Log.Info("sealsql: waiting for a replica", "lag", lag, "max", c.MaxReplicaLag)
			told = true
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// ReplicaLag asks a replica how far it is behind; dialect is "postgres" or
// "mysql", whose replicas are asked by SHOW REPLICA STATUS. A server that is no
// replica gives an error that wraps ErrConfig. A Postgres that has lost its
// primary does not know its lag. The lag of a Postgres that has replayed no transaction
// yet counts from its start.
func ReplicaLag(ctx context.Context, replica *sql.DB, dialect string) (time.Duration, error) {
	srv, err := server.Named(dialect)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	lag, err := srv.Jobs().ReplicaLag(ctx, replica)
	if errors.Is(err, server.ErrNoReplica) {
		err = fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return lag, err
}
