package mysql

import (
	"errors"

	"github.com/sealsql/sealsql/internal/server"
)

// Elements implements [server.Values]: the server has no arrays.
func (w values) Elements(server.KeyType, any) (elements []any, null bool, err error) {
	return nil, false, errNoArrays
}

// Array implements [server.Values].
func (w values) Array(server.KeyType, []string) (any, error) { return nil, errNoArrays }

var errNoArrays = errors.New("the server takes no arrays; write IN with a parameter for each value")
