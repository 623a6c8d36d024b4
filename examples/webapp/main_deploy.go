//go:build deploy

package main

import (
	"context"
	"errors"
)

// runLocal does nothing: an image has neither fakes nor drills in it.
func runLocal(context.Context, flags) error {
	return errors.New("this build has no local mode; give -dsn or -replica-dsn")
}
