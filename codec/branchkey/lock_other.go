//go:build !unix

package branchkey

import (
	"context"
	"errors"
)

// lockFile fails: without the lock two writers could lose a branch key.
func lockFile(context.Context, string) (func(), error) {
	return nil, errors.New("branchkey: on this system the file store can only be read; make branch keys on a Unix system or use the SQL store")
}
