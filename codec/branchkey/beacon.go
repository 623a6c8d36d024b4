package branchkey

import (
	"context"
	"errors"

	"github.com/sealsql/sealsql/codec"
)

var _ codec.Beacons = (*Cache)(nil)

// Beacon implements [codec.Beacons]: it calls use with the beacon key of a branch key.
// The key is kept like a branch key, with the same TTL, and goes with its branch key
// when that is deleted.
func (c *Cache) Beacon(ctx context.Context, id string, use func(*codec.BeaconKey) error) error {
	if err := checkID(id); err != nil {
		return &codec.Error{Kind: codec.ErrInvalidContext, Op: "encrypt", What: "no branch key is named", Cause: err}
	}
	s, err := c.get(ctx, slotKey{id: id, beacon: true})
	if err != nil {
		return err
	}
	defer s.release()
	return use(s.beacon)
}

// beacon unwraps the beacon key of a branch key.
func (k *Keys) beacon(ctx context.Context, id string) (*codec.BeaconKey, error) {
	items, err := k.store.Items(ctx, id, typeBeacon)
	if errors.Is(err, ErrNotFound) {
		return nil, &codec.Error{Kind: codec.ErrNoBranchKey, Op: "encrypt",
			What: "the key store has no beacon key of that id; create the branch key, as with sealsql keys create"}
	}
	if err != nil {
		return nil, storeError(err)
	}
	key, _, err := k.unwrap(ctx, id, typeBeacon, items)
	if err != nil {
		return nil, err
	}
	return codec.NewBeaconKey(key), nil
}
