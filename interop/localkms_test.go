package interop

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

// localKMS is an emulator of KMS that has nothing to do with sealsql.
const localKMS = "github.com/nsmithuk/local-kms@v0.0.0-20231025161602-e4d9425700fe"

// startLocalKMS builds and starts the emulator, and returns the configuration
// of its clients and the ARN of a new key.
func startLocalKMS(t *testing.T) (aws.Config, string) {
	t.Helper()
	dir := t.TempDir()
	install := exec.Command("go", "install", localKMS)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOWORK=off", "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", localKMS, err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close() // the emulator listens there
	run := exec.Command(filepath.Join(dir, "local-kms"))
	run.Dir = dir
	run.Env = append(os.Environ(), "PORT="+port, "KMS_REGION=us-east-1", "KMS_ACCOUNT_ID=111122223333", "KMS_DATA_PATH="+dir, "KMS_SEED_PATH="+filepath.Join(dir, "none.yaml"))
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	// The credentials are made up, as for the fake.
	fake := sealtest.NewKMS()
	cfg := fake.AWSConfig("us-east-1")
	fake.Close()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://127.0.0.1:"+port), &http.Client{}
	client := kms.NewFromConfig(cfg, func(o *kms.Options) { o.Retryer = aws.NopRetryer{} })
	until, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		made, err := client.CreateKey(until, &kms.CreateKeyInput{})
		if err == nil {
			return cfg, *made.KeyMetadata.Arn
		}
		select {
		case <-tick.C:
		case <-until.Done():
			t.Fatalf("the emulator does not answer: %v", err)
		}
	}
}

// TestLocalKMS: values, branch keys and re-encryption with an encryption
// context against an emulator that no one here wrote.
func TestLocalKMS(t *testing.T) {
	cfg, arn := startLocalKMS(t)
	shield, err := awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	defer shield.Close()
	ring, err := awskms.New(awskms.Config{Keys: []string{arn}, Region: "us-east-1", Shield: shield})
	if err != nil {
		t.Fatal(err)
	}
	wrapper, err := awskms.NewWrapper(awskms.WrapperConfig{Shield: shield, Keys: []string{arn}, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys := branchkey.NewKeys(store, wrapper)
	if _, err := keys.Create(t.Context(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	ran := 0
	branch := branchStore{keys: keys}
	direct, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*codec.Codec{"per value": direct, "branch": branch.ours(t, "shop", codec.SuiteCommit)} {
		ec := codec.Context{"account_number": "1234567890", "ü": "é"}
		msg, err := c.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := codec.Parse(msg)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Decrypt(t.Context(), nil, m, ec); err != nil || string(got) != "123-45-6789" {
			t.Errorf("%s: %v", name, err)
		}
		ran++
	}
	// Re-encryption binds a wrapped key to another context, and only to that.
	from, to := codec.Context{"row": "1"}, codec.Context{"row": "2"}
	blob, err := wrapper.Generate(t.Context(), arn, 32, from)
	if err != nil {
		t.Fatal(err)
	}
	again, err := wrapper.ReEncrypt(t.Context(), arn, blob, from, to)
	if err != nil {
		t.Fatal(err)
	}
	before, err := wrapper.Unwrap(t.Context(), arn, blob, from)
	if err != nil {
		t.Fatal(err)
	}
	after, err := wrapper.Unwrap(t.Context(), arn, again, to)
	if err != nil || string(after.Bytes()) != string(before.Bytes()) {
		t.Errorf("the re-encrypted key is another one: %v", err)
	}
	ran++
	for _, c := range []struct {
		blob []byte
		ec   codec.Context
	}{{again, from}, {blob, to}, {again, nil}} {
		if _, err := wrapper.Unwrap(t.Context(), arn, c.blob, c.ec); !errors.Is(err, codec.ErrUnwrap) {
			t.Errorf("under another context: %v", err)
		}
		ran++
	}
	if ran != 6 {
		t.Errorf("ran %d exchanges", ran)
	}
}
