package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesctrhmac"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/compact"
)

// shownKMS wraps nothing: the test needs to know the branch key.
type shownKMS struct{ branchKey []byte }

func (shownKMS) Keys() []string          { return []string{"arn"} }
func (shownKMS) Rank(string) (int, bool) { return 0, true }
func (shownKMS) Generate(context.Context, string, int, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (shownKMS) ReEncrypt(context.Context, string, []byte, codec.Context, codec.Context) ([]byte, error) {
	return []byte("wrapped anew"), nil
}
func (shownKMS) Wrap(context.Context, string, codec.DataKey, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (k shownKMS) Unwrap(context.Context, string, []byte, codec.Context) (codec.DataKey, error) {
	return codec.NewDataKey(bytes.Clone(k.branchKey)), nil
}

// compactSide seals and opens with sealsql, under a branch key that the test knows.
type compactSide struct {
	codec     *compact.Codec
	at        compact.Location
	branchKey []byte
	info      branchkey.Info
}

func newCompactSide(t testing.TB) compactSide {
	t.Helper()
	s := compactSide{at: compact.Location{Table: "accounts", Column: "ssn"}, branchKey: make([]byte, 32)}
	_, _ = rand.Read(s.branchKey) // never fails
	store, err := branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys := branchkey.NewKeys(store, shownKMS{s.branchKey})
	if s.info, err = keys.Create(t.Context(), "customers", nil); err != nil {
		t.Fatal(err)
	}
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: keys, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cache.Close)
	ring, err := branchkey.New(cache, s.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s.codec, err = compact.New(compact.Config{Keys: ring, Location: s.at}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s compactSide) version(t testing.TB) []byte {
	t.Helper()
	v, err := hex.DecodeString(strings.ReplaceAll(s.info.Version, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// lp is a two-byte length and the bytes.
func lp(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }

// derived is a subkey.
func (s compactSide) derived(t testing.TB, use string) []byte {
	t.Helper()
	k, err := hkdf.Key(sha256.New, s.branchKey, nil, "sealsql/compact/v1"+lp(use)+lp(s.at.Table)+lp(s.at.Column), 32)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tink is Tink's AEAD with a keyset of the derived keys.
func (s compactSide) tink(t testing.TB) tink.AEAD {
	t.Helper()
	derived := func(use string) secretdata.Bytes {
		return secretdata.NewBytesFromData(s.derived(t, use), insecuresecretdataaccess.Token{})
	}
	sum := sha256.Sum256([]byte(lp(s.info.ID) + string(s.version(t)) + lp(s.at.Table) + lp(s.at.Column)))
	parameters, err := aesctrhmac.NewParameters(aesctrhmac.ParametersOpts{AESKeySizeInBytes: 32, HMACKeySizeInBytes: 32,
		IVSizeInBytes: 16, TagSizeInBytes: 32, HashType: aesctrhmac.SHA256, Variant: aesctrhmac.VariantTink})
	if err != nil {
		t.Fatal(err)
	}
	key, err := aesctrhmac.NewKey(aesctrhmac.KeyOpts{AESKeyBytes: derived("enc"), HMACKeyBytes: derived("mac"),
		IDRequirement: binary.BigEndian.Uint32(sum[:4]), Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManager()
	id, err := m.AddKey(key)
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	handle, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	out, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// exchange is a plaintext and a context of the i-th of a hundred exchanges:
// lengths from 0 to 64 KiB, among them those around the blocks' boundaries.
func exchange(t testing.TB, i int) (plaintext []byte, ec codec.Context, aad []byte) {
	t.Helper()
	n := i
	if i >= 50 {
		n = (i - 49) * 65536 / 50
	}
	plaintext = make([]byte, n)
	_, _ = rand.Read(plaintext) // never fails
	if i%4 != 0 {
		ec = codec.Context{"account_number": fmt.Sprint(i), "sealsql:table": "accounts", "sealsql:column": "ssn", "🔑": "ключ"}
	}
	aad, err := codec.AppendContext(nil, ec)
	if err != nil {
		t.Fatal(err)
	}
	return plaintext, ec, aad
}

func TestTinkExchangesCompactValues(t *testing.T) {
	s := newCompactSide(t)
	peer := s.tink(t)
	ours, theirs := 0, 0
	for i := range 100 {
		plaintext, ec, aad := exchange(t, i)
		v, err := s.codec.Seal(t.Context(), nil, plaintext, ec)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := peer.Decrypt(v, aad); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("Tink does not open %d bytes: %v", len(plaintext), err)
		}
		v[len(v)-1] ^= 1
		if _, err := peer.Decrypt(v, aad); err == nil {
			t.Error("Tink opens a changed value")
		}
		ours++
		if v, err = peer.Encrypt(plaintext, aad); err != nil {
			t.Fatal(err)
		}
		if len(v) != compact.Size(len(plaintext)) {
			t.Errorf("Tink's value of %d bytes takes %d", len(plaintext), len(v))
		}
		if got, err := s.codec.Open(t.Context(), nil, v, ec); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes of Tink do not open: %v", len(plaintext), err)
		}
		v[len(v)-1] ^= 1
		if _, err := s.codec.Open(t.Context(), nil, v, ec); !errors.Is(err, codec.ErrUnauthentic) {
			t.Error("a changed value of Tink:", err)
		}
		theirs++
	}
	if ours != 100 || theirs != 100 {
		t.Errorf("%d and %d exchanges", ours, theirs)
	}
}

// nodeRequest is what node/compact.js reads.
type nodeRequest struct {
	Op          string        `json:"op"`
	BranchKey   string        `json:"branchKey"`
	BranchKeyID string        `json:"branchKeyID"`
	Version     string        `json:"version"`
	Table       string        `json:"table"`
	Column      string        `json:"column"`
	Context     codec.Context `json:"context"`
	Plaintext   []byte        `json:"plaintext"`
	Value       []byte        `json:"value"`
}

type nodeAnswer struct {
	Plaintext, Value []byte
	Error            string
}

// TestNodeExchangesCompactValues with a reader of 60 lines over node's crypto.
func TestNodeExchangesCompactValues(t *testing.T) {
	s := newCompactSide(t)
	var requests, answers bytes.Buffer
	var want [][]byte
	ask := func(r nodeRequest, ec codec.Context) {
		r.BranchKey, r.BranchKeyID, r.Version = hex.EncodeToString(s.branchKey), s.info.ID, hex.EncodeToString(s.version(t))
		r.Table, r.Column, r.Context = s.at.Table, s.at.Column, ec
		if r.Context == nil {
			r.Context = codec.Context{}
		}
		if err := json.NewEncoder(&requests).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		plaintext, ec, _ := exchange(t, 2*i)
		v, err := s.codec.Seal(t.Context(), nil, plaintext, ec)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, plaintext)
		ask(nodeRequest{Op: "open", Value: v}, ec)
		ask(nodeRequest{Op: "seal", Plaintext: plaintext}, ec)
		ask(nodeRequest{Op: "open", Value: v}, codec.Context{"another": "row"})
	}
	cmd := exec.CommandContext(t.Context(), "node", "node/compact.js")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &requests, &answers, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(&answers)
	lines.Buffer(nil, 1<<20)
	next := func() (a nodeAnswer) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("node answered too little")
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for i, plaintext := range want {
		_, ec, _ := exchange(t, 2*i)
		if a := next(); a.Error != "" || !bytes.Equal(a.Plaintext, plaintext) {
			t.Errorf("node does not open %d bytes: %s", len(plaintext), a.Error)
		}
		a := next()
		if got, err := s.codec.Open(t.Context(), nil, a.Value, ec); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes of node do not open: %v %s", len(plaintext), err, a.Error)
		}
		if a := next(); a.Error != "unauthentic" {
			t.Errorf("node says of another row's value: %q", a.Error)
		}
	}
	if len(want) != 50 {
		t.Errorf("%d exchanges", len(want))
	}
}

// TestCompactVectorsAreNodes: the vectors of codec/compact are what
// node/compact.js makes.
func TestCompactVectorsAreNodes(t *testing.T) {
	made, err := exec.CommandContext(t.Context(), "node", "node/compact.js", "vectors").Output()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../codec/compact/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("the vectors differ; make them with: node node/compact.js vectors > ../codec/compact/testdata/vectors.json")
	}
}
