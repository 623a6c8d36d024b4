package sealpgx

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/fault"
)

// sendBatch refuses.
func (c *conn) sendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	err := &fault.RefusedError{What: "batches are not sent through sealpgx yet", Hint: "send the statements one after the other"}
	c.host.NoteRefused(ctx, "", err)
	return pgx.FailedBatchResults(b, err)
}

// copyFrom refuses.
func (c *conn) copyFrom(ctx context.Context, _ pgx.Identifier, _ []string, _ pgx.CopyFromSource) (int64, error) {
	err := &fault.RefusedError{What: "COPY is not sent through sealpgx yet", Hint: "insert the rows"}
	c.host.NoteRefused(ctx, "", err)
	return 0, err
}
