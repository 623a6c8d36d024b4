// Package kmstrace tells which calls of KMS one request of the site made: the
// Region that answered and the time that the call took.
//
// It is a middleware of the AWS SDK's clients and notes calls whose context
// comes from [Record]. It never sees a key or a plaintext, and does nothing for
// other contexts.
package kmstrace

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// Call is one call of KMS.
type Call struct {
	Region, Operation string
	Took              time.Duration
	Failed            bool
}

// Trace gathers calls. It is safe for concurrent use.
type Trace struct {
	mu    sync.Mutex
	calls []Call
}

// Calls returns the calls that have ended so far.
func (t *Trace) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.calls)
}

type key struct{}

// Record returns a context whose calls of KMS go into the trace.
func Record(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, key{}, t), t
}

// Attach returns cfg with the middleware added.
func Attach(cfg aws.Config) aws.Config {
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("kmstrace", note), middleware.After)
	})
	return cfg
}

func note(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	began := time.Now()
	out, meta, err := next.HandleInitialize(ctx, in)
	if t, ok := ctx.Value(key{}).(*Trace); ok && awsmiddleware.GetServiceID(ctx) == "KMS" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.calls = append(t.calls, Call{
			Region: awsmiddleware.GetRegion(ctx), Operation: awsmiddleware.GetOperationName(ctx), Took: time.Since(began), Failed: err != nil,
		})
	}
	return out, meta, err
}
