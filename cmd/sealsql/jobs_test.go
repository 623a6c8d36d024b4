package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestTheManifests: the examples' YAML parses, and their arguments are ones that
// the command takes.
func TestTheManifests(t *testing.T) {
	files, err := filepath.Glob("../../examples/jobs/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	commands := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(data, &doc); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for _, args := range argumentLists(&doc) {
			commands++
			a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
			c, rest, err := a.root().Find(args)
			if err != nil || c.Name() != args[0] {
				t.Fatalf("%s: %v is no command: %v", f, args, err)
			}
			if err := c.ParseFlags(rest); err != nil {
				t.Errorf("%s: %v", f, err)
			}
			shard, err := c.Flags().GetString("shard")
			if err != nil || !strings.HasPrefix(shard, "auto/") {
				t.Errorf("%s: --shard is %q, %v", f, shard, err)
			}
		}
	}
	if commands != 2 {
		t.Errorf("%d command lines were found", commands)
	}
}

// argumentLists finds the lists that begin with a command of sealsql's.
func argumentLists(n *yaml.Node) (out [][]string) {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && slices.Contains([]string{"backfill", "reencrypt", "repair", "verify"}, n.Content[0].Value) {
		var args []string
		for _, c := range n.Content {
			args = append(args, c.Value)
		}
		return [][]string{args}
	}
	for _, c := range n.Content {
		out = append(out, argumentLists(c)...)
	}
	return out
}

func TestTheResumeCommandHidesTheDSN(t *testing.T) {
	for in, want := range map[string]string{
		"backfill --dsn postgres://u:p@h/d --page 20":        `sealsql backfill --dsn "$SEALSQL_DSN" --page 20 --resume`,
		"backfill --dsn=postgres://u:p@h/d --restart":        `sealsql backfill --dsn="$SEALSQL_DSN" --resume`,
		"backfill --replica-dsn u:p@tcp(h)/d --table people": `sealsql backfill --replica-dsn "$SEALSQL_DSN" --table people --resume`,
	} {
		if got := resumeCommand(strings.Fields(in)); got != want {
			t.Errorf("%s: got %s", in, got)
		}
	}
}
