package interop

import (
	"bytes"
	"testing"
	"time"

	keystoretypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographykeystoresmithygeneratedtypes"
	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// ours is sealsql's codec over the store, without anything in memory.
func (s branchStore) ours(t *testing.T, id string, suite codec.Suite) *codec.Codec {
	t.Helper()
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: s.keys, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cache.Close)
	ring, err := branchkey.New(cache, id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring, Suite: suite, Commitment: commitment(suite), FrameLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// theirs is AWS's hierarchical keyring over the store, without anything in memory.
func (s branchStore) theirs(t *testing.T, id string) mpltypes.IKeyring {
	t.Helper()
	c, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := c.CreateAwsKmsHierarchicalKeyring(t.Context(), mpltypes.CreateAwsKmsHierarchicalKeyringInput{
		BranchKeyId: &id, KeyStore: s.aws, TtlSeconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// exchange sends values both ways under one branch key and returns how many.
func (s branchStore) exchange(t *testing.T, id string) (ran int) {
	t.Helper()
	ec := map[string]string{"account_number": "1234567890"}
	for _, suite := range []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned, codec.Suite256HKDF, codec.Suite256HKDFSigned} {
		mine, ring := s.ours(t, id, suite), s.theirs(t, id)
		theirs, err := goSDK{}.client(suite)
		if err != nil {
			t.Fatal(err)
		}
		name, frame := mpltypes.ESDKAlgorithmSuiteId("0x"+suite.String()), int64(32)
		for _, n := range []int{0, 11, 100} {
			plaintext := bytes.Repeat([]byte{7}, n)
			out, err := theirs.Encrypt(t.Context(), esdktypes.EncryptInput{Plaintext: plaintext, EncryptionContext: ec, Keyring: ring, AlgorithmSuiteId: &name, FrameLength: &frame})
			if err != nil {
				t.Fatalf("suite %s: AWS's SDK: %v", suite, err)
			}
			m, err := codec.Parse(out.Ciphertext)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := mine.Decrypt(t.Context(), nil, m, ec); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("suite %s, %d bytes: what AWS's SDK wrote: %v", suite, n, err)
			}
			msg, err := mine.Encrypt(t.Context(), nil, plaintext, ec)
			if err != nil {
				t.Fatal(err)
			}
			back, err := theirs.Decrypt(t.Context(), esdktypes.DecryptInput{Ciphertext: msg, EncryptionContext: ec, Keyring: ring})
			if err != nil || !bytes.Equal(back.Plaintext, plaintext) {
				t.Errorf("suite %s, %d bytes: AWS's SDK reads what sealsql wrote: %v", suite, n, err)
			}
			if suite == codec.SuiteCommit && n == 11 && (len(msg) > 324 || len(msg) > len(out.Ciphertext)) {
				t.Errorf("an 11-byte value takes %d bytes, AWS's SDK %d", len(msg), len(out.Ciphertext))
			}
			ran += 2
		}
	}
	return ran
}

// TestHierarchy: branch keys that either made and rotated, values that either
// wrote, and the branch keys themselves.
func TestHierarchy(t *testing.T) {
	s := newBranchStore(t)
	theirs := "made-by-aws"
	made, err := s.aws.CreateKey(t.Context(), keystoretypes.CreateKeyInput{BranchKeyIdentifier: &theirs, EncryptionContext: map[string]string{"tenant": "acme"}})
	if err != nil || made.BranchKeyIdentifier != theirs {
		t.Fatal(err)
	}
	ran := 0
	for _, id := range []string{s.id, theirs} {
		ran += s.exchange(t, id)
		before := s.ours(t, id, codec.SuiteCommit)
		old, err := before.Encrypt(t.Context(), nil, []byte("older"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.keys.Rotate(t.Context(), id); err != nil {
			t.Fatalf("%s: sealsql rotates: %v", id, err)
		}
		ran += s.exchange(t, id)
		if _, err := s.aws.VersionKey(t.Context(), keystoretypes.VersionKeyInput{BranchKeyIdentifier: id}); err != nil {
			t.Fatalf("%s: AWS's SDK rotates: %v", id, err)
		}
		ran += s.exchange(t, id)
		info, err := s.keys.Get(t.Context(), id)
		if err != nil || info.Versions != 3 || info.Context["tenant"] != "acme" {
			t.Errorf("%+v, %v", info, err)
		}
		active, err := s.aws.GetActiveBranchKey(t.Context(), keystoretypes.GetActiveBranchKeyInput{BranchKeyIdentifier: id})
		if err != nil || string(active.BranchKeyMaterials.BranchKeyVersion) != info.Version {
			t.Errorf("AWS's SDK finds another active version: %v", err)
		}
		if _, err := s.aws.GetBeaconKey(t.Context(), keystoretypes.GetBeaconKeyInput{BranchKeyIdentifier: id}); err != nil {
			t.Errorf("AWS's SDK reads the beacon key: %v", err)
		}
		for _, c := range []*codec.Codec{s.ours(t, id, codec.SuiteCommit), before} {
			m, err := codec.Parse(old)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Decrypt(t.Context(), nil, m, nil); err != nil || string(got) != "older" {
				t.Errorf("the first version: %v", err)
			}
		}
		client, err := goSDK{}.client(codec.SuiteCommit)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := client.Decrypt(t.Context(), esdktypes.DecryptInput{Ciphertext: old, Keyring: s.theirs(t, id)}); err != nil || string(out.Plaintext) != "older" {
			t.Errorf("AWS's SDK, the first version: %v", err)
		}
	}
	if ran != 2*3*4*3*2 {
		t.Errorf("%d exchanges", ran)
	}
	t.Logf("%d exchanges", ran)
}
