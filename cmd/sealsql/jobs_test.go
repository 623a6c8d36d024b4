package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/rekey"
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
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"backfill", "--dsn", "postgres://u:p@h/d", "--page", "20"}, `sealsql backfill --dsn "$SEALSQL_DSN" --page 20 --resume`},
		{[]string{"backfill", "--dsn=postgres://u:p@h/d", "--restart"}, `sealsql backfill --dsn="$SEALSQL_DSN" --resume`},
		{[]string{"backfill", "--replica-dsn", "u:p@tcp(h)/d", "--table", "people"}, `sealsql backfill --replica-dsn "$SEALSQL_REPLICA_DSN" --table people --resume`},
		{[]string{"backfill", "--replica-dsn=u:p@tcp(h)/d", "--dsn"}, `sealsql backfill --replica-dsn="$SEALSQL_REPLICA_DSN" --dsn "$SEALSQL_DSN" --resume`},
		{[]string{"backfill", "--resume=true", "--policy", "my policy's.yaml"}, `sealsql backfill --policy 'my policy'\''s.yaml' --resume`},
		{[]string{"reencrypt", "--old-key", oldKey, "--shard=auto/8"}, `sealsql reencrypt --old-key ` + oldKey + ` --shard=auto/8 --resume`},
	} {
		if got := resumeCommand(c.args); got != c.want {
			t.Errorf("%q: got %s", c.args, got)
		}
	}
}

// TestTheCommandWaitsForTheReplica that is named, and goes on when it has caught up.
func TestTheCommandWaitsForTheReplica(t *testing.T) {
	server := testdb.Postgres(t)
	d := newDrill(t, server, 30)
	var name string
	if err := d.db.QueryRow("SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	follower := server.Replica(t)
	replica := follower.Open(t, name)
	if _, err := replica.Exec("SELECT pg_wal_replay_pause()"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for lag := time.Duration(0); lag < 20*time.Millisecond; { // it has replayed nothing since it started, and knows no time
		d.exec("UPDATE people SET ssn = ssn WHERE id = 0")
		var err error
		if lag, err = rekey.ReplicaLag(ctx, replica, "postgres"); err != nil {
			t.Fatal(err)
		}
	}
	d.exec("DELETE FROM audit")
	_, dsn := follower.DSN(follower.Addr(), name)
	cmd, out, _ := d.command("backfill", "--page", "10", "--max-replica-lag", "10ms", "--output", "json")
	cmd.Env, cmd.Stderr = append(cmd.Env, "SEALSQL_REPLICA_DSN="+dsn), nil
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waits, log := false, ""
	for s := bufio.NewScanner(said); s.Scan(); {
		log += s.Text() + "\n"
		if waits || !strings.Contains(s.Text(), "waiting for a replica") {
			continue
		}
		waits = true
		var written int
		if err := d.db.QueryRow("SELECT count(*) FROM audit").Scan(&written); err != nil || written != 0 {
			t.Errorf("%d rows were written while the replica was behind: %v", written, err)
		}
		if _, err := replica.Exec("SELECT pg_wal_replay_resume()"); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || !waits {
		t.Fatalf("it waited: %v; %v\n%s", waits, err, log)
	}
	if r := d.report(out); !r.Done || r.Changed != int64(d.rows) {
		t.Errorf("%+v", r)
	}
	d.once()
}
