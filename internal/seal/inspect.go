package seal

import (
	"slices"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/policy"
)

// Inspect looks at a stored value of a column without any key, and compares it with
// what the policy would write. sources may be nil: then the context's fixed pairs
// alone are compared. Nothing is verified.
func (f *Funnel) Inspect(c *Column, stored any, sources []string) inspect.Value {
	if c.document != nil && !IsNull(stored) {
		return f.inspectDocument(c, stored, sources)
	}
	found := c.layout.Classify(stored)
	in := inspection(found, stored)
	if written, ok := found.form.(format); ok && found.Kind.Sealed() {
		in.OtherFormat = written != c.format
		written.compare(f, &in, c, found, sources)
	}
	return in
}

// Examine looks at a stored value, a []byte, a string or nil, without any key and
// without a policy.
func Examine(stored any, inBase64 bool) inspect.Value {
	return inspection(Layout{Base64: inBase64, Compact: true}.Classify(stored), stored)
}

func inspection(found Found, stored any) inspect.Value {
	in := inspect.Value{Form: found.Kind}
	if found.Kind == inspect.Null {
		return in
	}
	switch v := stored.(type) {
	case []byte:
		in.Bytes = len(v)
	case string:
		in.Bytes = len(v)
	}
	found.form.show(found, &in)
	return in
}

// nameBranchKey fills in the branch key of a compact value, which the value does not
// name: the policy does.
func (f *Funnel) nameBranchKey(i *inspect.Value, col *Column, sources []string) {
	ring, ok := f.policy.Keyring(col.keyring)
	if !ok || f.keys.SetInCode(col.keyring) {
		return
	}
	if _, id := branchOf(ring, col, sources); id != "" {
		i.Wrappings = []inspect.Wrapping{{Provider: branchkey.ProviderID, Key: id}}
	}
}

// compare fills in what the policy says of a message.
func (f *Funnel) compare(i *inspect.Value, col *Column, m *codec.Message, sources []string) {
	i.OtherSuite = m.Suite() != col.suite
	i.OtherContext = !col.bound.writes(i.Context, sources, len(col.Table.Sources))
	ring, ok := f.policy.Keyring(col.keyring)
	if f.keys.SetInCode(col.keyring) || !ok {
		return // one set in code: what it wraps under is not known
	}
	var wanted []func(inspect.Wrapping) bool
	var names []string
	want := func(name string, f func(inspect.Wrapping) bool) {
		names, wanted = append(names, name), append(wanted, f)
	}
	switch {
	case ring.DataKey.Per == "branch":
		name, id := branchOf(ring, col, sources)
		want(name, func(w inspect.Wrapping) bool { return w.Provider == branchkey.ProviderID && (id == "" || w.Key == id) })
	case ring.RawAES != nil:
		want(ring.RawAES.Name, func(w inspect.Wrapping) bool { return w.Provider == ring.RawAES.Namespace && w.Key == ring.RawAES.Name })
	case ring.KMS != nil:
		for _, s := range ring.KMS.ARNs {
			want(s, wrappedUnder(s))
		}
	}
	used := make([]bool, len(i.Wrappings))
	for n, fits := range wanted {
		found := slices.IndexFunc(i.Wrappings, fits)
		if found < 0 {
			i.Missing = append(i.Missing, names[n])
			continue
		}
		used[found] = true
	}
	for n, w := range i.Wrappings {
		if !used[n] {
			i.Superfluous = append(i.Superfluous, w.Key)
		}
	}
}

func wrappedUnder(arn string) func(inspect.Wrapping) bool {
	own, err := awskms.ParseARN(arn)
	return func(w inspect.Wrapping) bool {
		other, bad := awskms.ParseARN(w.Key)
		return err == nil && bad == nil && w.Provider == awskms.ProviderID && own.Matches(other)
	}
}

// branchOf is the branch key that the policy uses for a row; id is empty if the
// row is not known.
func branchOf(ring policy.Keyring, col *Column, sources []string) (name, id string) {
	if ring.DataKey.BranchKey != "" {
		return ring.DataKey.BranchKey, ring.DataKey.BranchKey
	}
	name = "the branch key of " + ring.DataKey.BranchKeyFrom
	if i := slices.Index(col.Table.Sources, ring.DataKey.BranchKeyFrom); i >= 0 && sources != nil {
		id = sources[i]
	}
	return name, id
}
