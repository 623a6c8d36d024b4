package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// keysFlags are the flags of the keys commands.
type keysFlags struct {
	keyring string
	context map[string]string
	yes     bool
}

func (a *app) keysCommand() *cobra.Command {
	k := &keysFlags{}
	c := &cobra.Command{
		Use: "keys", Short: "Creates, rotates, lists and deletes branch keys",
		Long: `keys manages the branch keys of a keyring with data_key: {per: branch}: keys that KMS wraps once, and that lie in
the keyring's store (a table of the database, or a file). No key in clear is ever shown.`,
		Example: `  sealsql keys create tenant-7
  sealsql keys rotate tenant-7
  sealsql keys list --output json
  sealsql keys delete tenant-7 --yes   # shreds every value under it`,
	}
	group(c)
	c.PersistentFlags().StringVar(&k.keyring, "keyring", "", "the policy's keyring (default the only one with branch keys)")
	create := &cobra.Command{Use: "create [ID]", Short: "Makes a branch key; without an ID, under a random UUID", Args: args(cobra.MaximumNArgs(1)),
		RunE: a.withKeys(k, func(ctx context.Context, keys *branchkey.Keys, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			info, err := keys.Create(ctx, id, k.context)
			return a.showKeys(err, info)
		})}
	create.Flags().StringToStringVar(&k.context, "context", nil, "pairs that are bound to the branch key for good, name=value")
	rotate := &cobra.Command{Use: "rotate ID", Short: "Makes a new version for new values; older versions still open theirs", Args: args(cobra.ExactArgs(1)),
		RunE: a.withKeys(k, func(ctx context.Context, keys *branchkey.Keys, args []string) error {
			info, err := keys.Rotate(ctx, args[0])
			return a.showKeys(err, info)
		})}
	list := &cobra.Command{Use: "list", Short: "Lists the branch keys", Args: noArgs,
		RunE: a.withKeys(k, func(ctx context.Context, keys *branchkey.Keys, _ []string) error {
			all, err := keys.List(ctx)
			return a.showKeys(err, all...)
		})}
	del := &cobra.Command{Use: "delete ID", Short: "Deletes a branch key with all its versions: every value under it is shredded", Args: args(cobra.ExactArgs(1)),
		RunE: a.withKeys(k, func(ctx context.Context, keys *branchkey.Keys, args []string) error {
			if !k.yes {
				return usagef("no value under %s can ever be read again after this; pass --yes if that is meant", args[0])
			}
			if err := keys.Delete(ctx, args[0]); err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(map[string]string{"deleted": args[0]})
			}
			a.printf("deleted %s\n", printable(args[0]))
			return nil
		})}
	del.Flags().BoolVar(&k.yes, "yes", false, "delete, for good")
	c.AddCommand(create, rotate, list, del)
	return c
}

// withKeys opens the keyring's branch keys.
func (a *app) withKeys(k *keysFlags, f func(context.Context, *branchkey.Keys, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p, db, _, err := a.both(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		name, err := branchKeyring(p, k.keyring)
		if err != nil {
			return err
		}
		s, err := driver.NewSealer(db, driver.WithPolicy(p))
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		keys, err := s.BranchKeys(name)
		if err != nil {
			return err
		}
		return f(cmd.Context(), keys, args)
	}
}

// branchKeyring is the keyring that is meant.
func branchKeyring(p *policy.Policy, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	var found []string
	for _, n := range p.Keyrings() {
		if k, _ := p.Keyring(n); k.DataKey.HasBranchKeys() {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		return "", usagef("the policy has %d keyrings with branch keys; name one with --keyring", len(found))
	}
	return found[0], nil
}

// shownKey is a branch key as JSON shows it.
type shownKey struct {
	ID       string            `json:"id"`
	Version  string            `json:"version"`
	Created  time.Time         `json:"created"`
	Versions int               `json:"versions"`
	KeyARNs  []string          `json:"wrapping_keys"`
	Context  map[string]string `json:"context,omitempty"`
}

func (a *app) showKeys(err error, keys ...branchkey.Info) error {
	if err != nil {
		return err
	}
	shown := []shownKey{}
	for _, k := range keys {
		shown = append(shown, shownKey{k.ID, k.Version, k.Created, k.Versions, k.KeyARNs, k.Context})
	}
	if a.output == "json" {
		return a.json(shown)
	}
	for _, k := range shown {
		a.printf("%s version %s, the latest of %d, made %s under %s", printable(k.ID), k.Version, k.Versions, k.Created.UTC().Format(time.RFC3339), strings.Join(k.KeyARNs, ", "))
		for _, name := range slices.Sorted(maps.Keys(k.Context)) {
			a.printf(", %s=%s", printable(name), printable(k.Context[name]))
		}
		a.printf("\n")
	}
	return nil
}
