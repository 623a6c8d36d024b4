package branchkey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// Keys makes and finds the branch keys of a store (framework/branch-key-store).
// It keeps none in memory. It is safe for concurrent use.
type Keys struct {
	store Store
	kms   KMS
	now   func() time.Time
}

// NewKeys returns the branch keys of a store, wrapped under k's keys.
func NewKeys(s Store, k KMS) *Keys { return &Keys{store: s, kms: k, now: time.Now} }

// Info describes a branch key. Nothing of it is secret.
type Info struct {
	ID string
	// Version is the UUID of the active version, made at Created.
	Version string
	Created time.Time
	// Versions is how many versions there are.
	Versions int
	// KeyARNs are the wrapping keys of the active version.
	KeyARNs []string
	// Context is the custom encryption context.
	Context map[string]string
}

// Create makes a branch key of the given id, or of a random UUID if id is
// empty; custom pairs, which may be nil, are bound to it for good. Every wrapping
// key is needed. An error wraps [ErrExists] if there is one of that id.
func (k *Keys) Create(ctx context.Context, id string, custom map[string]string) (Info, error) {
	if id == "" {
		id = newVersion().String()
	}
	if err := checkID(id); err != nil {
		return Info{}, fmt.Errorf("branchkey: create: %w", err)
	}
	v, active := newItems(id, newVersion(), k.kms.Keys()[0], custom, k.now())
	items, err := k.wrapped(ctx, v, active)
	if err != nil {
		return Info{}, fmt.Errorf("branchkey: create %s: %w", id, err)
	}
	beacon, err := k.newBeacon(ctx, v)
	if err != nil {
		return Info{}, fmt.Errorf("branchkey: create %s: %w", id, err)
	}
	items = append(items, beacon...)
	if err := k.store.Create(ctx, items); err != nil {
		return Info{}, fmt.Errorf("branchkey: create %s: %w", id, err)
	}
	return describe(items), nil
}

// wrapped makes a key for a version and returns its items: version and
// active, under every wrapping key.
func (k *Keys) wrapped(ctx context.Context, v, active Item) ([]Item, error) {
	name := k.store.Name()
	var err error
	if v.Wrapped, err = k.kms.Generate(ctx, v.KeyARN, branchKeyLength, v.kmsContext(name)); err != nil {
		return nil, err
	}
	if active.Wrapped, err = k.kms.ReEncrypt(ctx, v.KeyARN, v.Wrapped, v.kmsContext(name), active.kmsContext(name)); err != nil {
		return nil, err
	}
	return k.underOthers(ctx, v, v, active)
}

// newBeacon makes the beacon key of a new branch key, under every wrapping key.
func (k *Keys) newBeacon(ctx context.Context, like Item) ([]Item, error) {
	like.Type = typeBeacon
	var err error
	if like.Wrapped, err = k.kms.Generate(ctx, like.KeyARN, branchKeyLength, like.kmsContext(k.store.Name())); err != nil {
		return nil, err
	}
	return k.underOthers(ctx, like, like)
}

// underOthers returns items that hold the same key as from, and after them the same
// under every other wrapping key.
func (k *Keys) underOthers(ctx context.Context, from Item, items ...Item) ([]Item, error) {
	name := k.store.Name()
	own, _ := k.kms.Rank(from.KeyARN)
	var others []string
	for _, arn := range k.kms.Keys() {
		if rank, _ := k.kms.Rank(arn); rank != own {
			others = append(others, arn)
		}
	}
	if len(others) == 0 {
		return items, nil
	}
	key, err := k.kms.Unwrap(ctx, from.KeyARN, from.Wrapped, from.kmsContext(name))
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	all := items
	for _, arn := range others {
		for _, of := range items {
			extra := of.under(arn)
			if extra.Wrapped, err = k.kms.Wrap(ctx, arn, key, extra.kmsContext(name)); err != nil {
				return nil, err
			}
			all = append(all, extra)
		}
	}
	return all, nil
}

// Rotate makes a new version of a branch key and puts it in force: what is
// written afterwards is wrapped under it, by every process once its cached key is older than its TTL;
// what is wrapped under older versions still opens. If another process rotated
// meanwhile nothing is changed and the error wraps [ErrConflict].
func (k *Keys) Rotate(ctx context.Context, id string) (Info, error) {
	fail := func(err error) (Info, error) { return Info{}, fmt.Errorf("branchkey: rotate %s: %w", id, err) }
	found, err := k.store.Items(ctx, id, typeActive)
	if err != nil {
		return fail(err)
	}
	old, err := pick(found, id, typeActive)
	if err != nil {
		return fail(err)
	}
	// Re-encrypting it under its own context shows that the item is genuine.
	own := old.kmsContext(k.store.Name())
	if _, err := k.kms.ReEncrypt(ctx, old.KeyARN, old.Wrapped, own, own); err != nil {
		return fail(itemError(err))
	}
	v, active := newItems(id, newVersion(), old.KeyARN, old.Context, k.now())
	items, err := k.wrapped(ctx, v, active)
	if err != nil {
		return fail(err)
	}
	if err := k.store.Rotate(ctx, items, old.Wrapped); err != nil {
		return fail(err)
	}
	return k.Get(ctx, id)
}

// pick returns the item of exactly that type.
func pick(items []Item, id, typ string) (Item, error) {
	for _, i := range items {
		if i.BranchKeyID == id && i.Type == typ {
			return i, nil
		}
	}
	return Item{}, ErrNotFound
}

// Delete removes a branch key with all its versions: what is sealed under it
// is shredded. Processes that have it cached open values until their TTL has passed.
// It cannot be undone except from a backup of the store.
func (k *Keys) Delete(ctx context.Context, id string) error {
	if err := k.store.Delete(ctx, id); err != nil {
		return fmt.Errorf("branchkey: delete %s: %w", id, err)
	}
	return nil
}

// Get describes a branch key; an error wraps [ErrNotFound] if there is none.
func (k *Keys) Get(ctx context.Context, id string) (Info, error) {
	items, err := k.items(ctx, id)
	if err == nil && len(items) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Info{}, fmt.Errorf("branchkey: get %s: %w", id, err)
	}
	return describe(items), nil
}

// List describes every branch key, in the order of their ids.
func (k *Keys) List(ctx context.Context) ([]Info, error) {
	groups := map[string][]Item{}
	for item, err := range k.store.All(ctx) {
		if err != nil {
			return nil, fmt.Errorf("branchkey: list: %w", err)
		}
		groups[item.BranchKeyID] = append(groups[item.BranchKeyID], item)
	}
	var out []Info
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, describe(groups[id]))
	}
	return out, nil
}

func describe(items []Item) Info {
	var info Info
	for _, i := range items {
		info.ID = i.BranchKeyID
		if Covers(typeActive, i.Type) {
			info.KeyARNs = append(info.KeyARNs, i.KeyARN)
		}
		switch {
		case i.Type == typeActive:
			info.Version, info.Context = strings.TrimPrefix(i.Version, typeVersion), i.Context
			info.Created, _ = time.Parse(createTime, i.CreateTime)
		case strings.HasPrefix(i.Type, typeVersion) && !strings.Contains(i.Type, wrappingMark):
			info.Versions++
		}
	}
	slices.Sort(info.KeyARNs)
	return info
}

// active unwraps the active version of a branch key.
func (k *Keys) active(ctx context.Context, id string) (codec.DataKey, version, error) {
	items, err := k.store.Items(ctx, id, typeActive)
	if errors.Is(err, ErrNotFound) {
		return codec.DataKey{}, version{}, &codec.Error{Kind: codec.ErrNoBranchKey, Op: "encrypt",
			What: "the key store has no branch key of that id; create it, as with sealsql keys create"}
	}
	if err != nil {
		return codec.DataKey{}, version{}, storeError(err)
	}
	key, item, err := k.unwrap(ctx, id, typeActive, items)
	if err != nil {
		return codec.DataKey{}, version{}, err
	}
	v, ok := parseVersion(item.Version)
	if !ok {
		key.Zero()
		return codec.DataKey{}, version{}, storeError(errors.New("the active item names no version"))
	}
	return key, v, nil
}

// version unwraps one version of a branch key.
func (k *Keys) version(ctx context.Context, id string, v version) (codec.DataKey, error) {
	typ := typeVersion + v.String()
	items, err := k.store.Items(ctx, id, typ)
	if errors.Is(err, ErrNotFound) {
		return codec.DataKey{}, k.gone(ctx, id)
	}
	if err != nil {
		return codec.DataKey{}, storeError(err)
	}
	key, _, err := k.unwrap(ctx, id, typ, items)
	return key, err
}

// deletedKey names no id: it may be a value of the row, which errors do not hold.
const deletedKey = "the key store has no branch key of that id"

// gone tells a branch key that was deleted from a version that never was.
func (k *Keys) gone(ctx context.Context, id string) error {
	_, err := k.store.Items(ctx, id, typeActive)
	switch {
	case errors.Is(err, ErrNotFound):
		return &codec.Error{Kind: codec.ErrKeyDeleted, Op: "decrypt", What: deletedKey}
	case err != nil:
		return storeError(err)
	}
	return &codec.Error{Kind: codec.ErrUnwrap, Op: "decrypt", What: "the branch key has no version of that number"}
}

// unwrap unwraps one of the items of a key, the nearest wrapping key first.
func (k *Keys) unwrap(ctx context.Context, id, typ string, items []Item) (codec.DataKey, Item, error) {
	type ranked struct {
		Item
		rank int
	}
	var usable []ranked
	for _, i := range items {
		// What the store hands out is checked: a collation may compare loosely.
		if rank, ok := k.kms.Rank(i.KeyARN); ok && i.BranchKeyID == id && Covers(typ, i.Type) {
			usable = append(usable, ranked{i, rank})
		}
	}
	slices.SortStableFunc(usable, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	var errs []error
	for _, i := range usable {
		key, err := k.kms.Unwrap(ctx, i.KeyARN, i.Wrapped, i.kmsContext(k.store.Name()))
		if err == nil && key.Len() != branchKeyLength {
			key.Zero()
			err = &codec.Error{Kind: codec.ErrUnwrap, Op: "Decrypt", What: "a branch key has another length"}
		}
		if err == nil {
			return key, i.Item, nil
		}
		errs = append(errs, itemError(err))
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 0 {
		return codec.DataKey{}, Item{}, &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt", What: "the branch key is wrapped under another key"}
	}
	for _, err := range errs {
		if !errors.Is(err, codec.ErrKeyUnavailable) {
			return codec.DataKey{}, Item{}, err
		}
	}
	return codec.DataKey{}, Item{}, errs[0]
}

// itemError says of an item that KMS does not unwrap that the store was changed.
func itemError(err error) error {
	if errors.Is(err, codec.ErrUnwrap) {
		return &codec.Error{Kind: codec.ErrTampered, Op: "decrypt", What: "the branch key's item in the key store was changed", Cause: err}
	}
	return err
}

func storeError(err error) error {
	return &codec.Error{Kind: codec.ErrKeyUnavailable, What: "the branch key store cannot be used", Cause: err}
}
