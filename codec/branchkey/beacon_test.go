package branchkey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

// copied is a copy of a beacon key, derived from it.
type copied struct{ b []byte }

func (c *copied) Zero() { clear(c.b) }

// beacon returns what was derived from the beacon key of a branch key.
func beacon(ctx context.Context, c codec.Beacons, id string) (out *copied, err error) {
	err = c.Beacon(ctx, id, func(k *codec.BeaconKey) error {
		d, err := k.Derive("test", func(key []byte) (codec.Derived, error) { return &copied{bytes.Clone(key)}, nil })
		if err == nil {
			out = d.(*copied)
		}
		return err
	})
	return out, err
}

func TestABeaconKeyStaysAndIsItsBranchKeysOwn(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("other")
	c := w.cache(w.keys)
	first, err := beacon(t.Context(), c, "acme")
	if err != nil || len(first.b) != 32 {
		t.Fatalf("%d bytes, %v", len(first.b), err)
	}
	want := bytes.Clone(first.b)
	if again, _ := beacon(t.Context(), c, "acme"); again != first {
		t.Error("what was derived is not kept beside the key")
	}
	if _, err := w.keys.Rotate(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	fresh, err := beacon(t.Context(), w.cache(w.keys), "acme")
	if err != nil || !bytes.Equal(fresh.b, want) {
		t.Errorf("after a rotation of the branch key: another beacon key, %v", err)
	}
	other, err := beacon(t.Context(), c, "other")
	if err != nil || bytes.Equal(other.b, want) {
		t.Errorf("two branch keys share a beacon key, or %v", err)
	}
	c.Close()
	if !bytes.Equal(first.b, make([]byte, 32)) {
		t.Error("what was derived is not zeroed with the key")
	}
	if _, err := beacon(t.Context(), c, "acme"); !errors.Is(err, codec.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestABeaconKeyGoesWithItsTTL(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	c := w.cache(w.keys)
	if _, err := beacon(t.Context(), c, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := w.keys.Delete(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.now.Add(30)
	if _, err := beacon(t.Context(), c, "acme"); err != nil {
		t.Errorf("within the TTL: %v", err)
	}
	w.now.Add(31)
	if _, err := beacon(t.Context(), c, "acme"); !errors.Is(err, codec.ErrNoBranchKey) {
		t.Errorf("after the TTL: %v", err)
	}
}

func TestABeaconKeyOutlivesARegion(t *testing.T) {
	w := newWorld(t, east, west)
	w.create("acme")
	want, err := beacon(t.Context(), w.cache(w.keys), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, down := range []string{east, west} {
		w.kms.Heal()
		w.kms.SetFault(down, sealtest.Fault{Reset: true})
		got, err := beacon(t.Context(), w.cache(branchkey.NewKeys(w.store, w.wrapper(west, w.arns...))), "acme")
		if err != nil || !bytes.Equal(got.b, want.b) {
			t.Errorf("with %s down: %v", down, err)
		}
	}
}

// beaconOf is a store whose beacon items are those of another type or branch key.
type beaconOf struct {
	branchkey.Store
	id, typ string
}

func (s beaconOf) Items(ctx context.Context, id, typ string) ([]branchkey.Item, error) {
	if typ != "beacon:ACTIVE" {
		return s.Store.Items(ctx, id, typ)
	}
	items, err := s.Store.Items(ctx, s.id, s.typ)
	for i := range items {
		items[i].BranchKeyID, items[i].Type = id, typ
	}
	return items, err
}

func TestAForgedBeaconItemIsNoBeaconKey(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("other")
	ran := 0
	for name, s := range map[string]beaconOf{
		"the branch key itself":                {w.store, "acme", "branch:ACTIVE"},
		"the beacon key of another branch key": {w.store, "other", "beacon:ACTIVE"},
	} {
		ran++
		if _, err := beacon(t.Context(), w.cache(branchkey.NewKeys(s, w.wrapper(east, w.arns...))), "acme"); !errors.Is(err, codec.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ran != 2 {
		t.Errorf("%d cases ran", ran)
	}
}

func TestABeaconKeyIsNeverPrinted(t *testing.T) {
	k := codec.NewBeaconKey(codec.NewDataKey([]byte("0123456789abcdef0123456789abcdef")))
	_, err := k.Derive("x", func(key []byte) (codec.Derived, error) { return &copied{bytes.Clone(key)}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{k, struct{ K *codec.BeaconKey }{k}, []*codec.BeaconKey{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if s := fmt.Sprintf(verb, v); bytes.Contains([]byte(s), []byte("0123456789")) || bytes.Contains([]byte(s), []byte("3031323334")) || bytes.Contains([]byte(s), []byte("48 49 50")) {
				t.Errorf("%s of %T shows the key", verb, v)
			}
		}
	}
}
