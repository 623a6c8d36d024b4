package driver

import (
	"database/sql"

	"github.com/sealsql/sealsql/codec/branchkey"
)

// BranchKeys returns the branch keys of a keyring, to make, rotate, list and
// delete them. It fails if the policy in force does not give the keyring branch
// keys. It works until the connector is closed.
func (c *Connector) BranchKeys(keyring string) (*branchkey.Keys, error) {
	return c.keys.BranchKeys(c.Policy(), keyring)
}

// BranchKeys is [Connector.BranchKeys] of a sql.DB that was opened through
// this package.
func BranchKeys(db *sql.DB, keyring string) (*branchkey.Keys, error) {
	c, err := Of(db)
	if err != nil {
		return nil, err
	}
	return c.BranchKeys(keyring)
}

// BranchKeys is [Connector.BranchKeys].
func (s *ValueSealer) BranchKeys(keyring string) (*branchkey.Keys, error) {
	return s.c.BranchKeys(keyring)
}
