package codec_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// secretKey is every key of these tests.
var secretKey = []byte("0123456789abcdef0123456789abcdef")

// knownKeyring hands out secretKey.
type knownKeyring struct{ codec.Keyring }

func (knownKeyring) OnEncrypt(_ context.Context, m *codec.EncryptionMaterials) error {
	m.DataKey = m.MakeDataKey()
	copy(m.DataKey.Bytes(), secretKey)
	m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: "known"})
	return nil
}

func (knownKeyring) OnDecrypt(_ context.Context, m *codec.DecryptionMaterials, _ []codec.WrappedKey) error {
	m.DataKey = m.MakeDataKey()
	copy(m.DataKey.Bytes(), secretKey)
	return nil
}

// keeper keeps the content key of each message; of suite 0078 it is the data key.
type keeper struct {
	knownKeyring
	kept map[string]*codec.ContentKey
}

var _ codec.ContentKeyCache = (*keeper)(nil)

func (k *keeper) CachedContentKey(_ context.Context, _ codec.Context, id []byte, _ []codec.WrappedKey) (*codec.ContentKey, bool) {
	key, ok := k.kept[string(id)]
	return key, !ok
}

func (k *keeper) CacheContentKey(_ context.Context, _ codec.Context, id []byte, _ []codec.WrappedKey, key *codec.ContentKey) {
	k.kept[string(id)] = key
}

// knownKMS says that every branch key is secretKey.
type knownKMS struct{}

func (knownKMS) Keys() []string          { return []string{"arn"} }
func (knownKMS) Rank(string) (int, bool) { return 0, true }
func (knownKMS) Generate(context.Context, string, int, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (knownKMS) ReEncrypt(context.Context, string, []byte, codec.Context, codec.Context) ([]byte, error) {
	return []byte("wrapped anew"), nil
}
func (knownKMS) Wrap(context.Context, string, codec.DataKey, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (knownKMS) Unwrap(context.Context, string, []byte, codec.Context) (codec.DataKey, error) {
	return codec.NewDataKey(bytes.Clone(secretKey)), nil
}

// leaks are the ways in which a key may be printed.
func leaks() []string {
	decimal, hex := fmt.Sprint(secretKey[:4]), fmt.Sprintf("%#v", secretKey[:4])
	words := func(o binary.ByteOrder) string { return fmt.Sprint(o.Uint32(secretKey)) } // of a key's schedule
	return []string{words(binary.BigEndian), words(binary.LittleEndian), string(secretKey[:8]), fmt.Sprintf("%x", secretKey[:8]), fmt.Sprintf("% x", secretKey[:8]), strings.Trim(decimal, "[]"),
		strings.ReplaceAll(strings.Trim(decimal, "[]"), " ", ","), strings.ReplaceAll(strings.Trim(decimal, "[]"), " ", ", "),
		strings.TrimSuffix(strings.TrimPrefix(hex, "[]byte{"), "}"), base64.StdEncoding.EncodeToString(secretKey)[:8],
		strings.Trim(fmt.Sprintf("%b", secretKey[:5]), "[]")} // of fewer bytes other random ones have the digits by chance
}

// holders are a value of every type that holds a key, with the key in it.
func holders(t *testing.T) map[string]any {
	t.Helper()
	key := codec.NewDataKey(bytes.Clone(secretKey))
	type nested struct {
		Exported codec.DataKey
		hidden   codec.DataKey
		list     []codec.DataKey
	}
	materials, err := cache.New(cache.Config{Keyring: knownKeyring{}, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = materials.Close() })
	enc, err := materials.Encryption(t.Context(), codec.EncryptionRequest{Suite: codec.SuiteCommitSigned})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.DefaultMaterials(knownKeyring{}).Decryption(t.Context(), codec.DecryptionRequest{Suite: codec.SuiteCommit})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rawaes.New("test", "key", secretKey)
	if err != nil {
		t.Fatal(err)
	}
	multi, err := codec.Multi(raw, raw)
	if err != nil {
		t.Fatal(err)
	}
	store, err := branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys := branchkey.NewKeys(store, knownKMS{})
	if _, err := keys.Create(t.Context(), "id", map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	branches, err := branchkey.NewCache(branchkey.CacheConfig{Keys: keys, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(branches.Close)
	branch, err := branchkey.New(branches, "id")
	if err != nil {
		t.Fatal(err)
	}
	c := newCodec(t, codec.Config{Keyring: branch})
	if _, err := c.Encrypt(t.Context(), nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	branches.Len() // waits for the look-up's goroutine, whose mutex is printed
	keeps := &keeper{kept: map[string]*codec.ContentKey{}}
	plain := newCodec(t, codec.Config{Keyring: keeps, Suite: codec.Suite256, Commitment: codec.CommitmentForbidEncryptAllowDecrypt})
	m, err := plain.Encrypt(t.Context(), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := codec.Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Decrypt(t.Context(), nil, parsed, nil); err != nil || len(keeps.kept) != 1 {
		t.Fatal(len(keeps.kept), err)
	}
	content := keeps.kept[string(parsed.ID())]
	return map[string]any{"a content key": content, "a content key's value": *content, "content keys": keeps.kept, "what keeps them": keeps,
		"a data key": key, "a pointer to one": &key, "a struct": nested{key, key, []codec.DataKey{key}},
		"a slice": []codec.DataKey{key}, "a map": map[string]codec.DataKey{"k": key}, "an interface": []any{key},
		"encryption materials": enc, "decryption materials": dec, "the cache of materials": materials,
		"a raw keyring": raw, "a multi-keyring": multi, "branch keys": keys, "the cache of branch keys": branches, "a branch keyring": branch,
		"a codec": c, "a made key": codec.MakeDataKey(32), "an error": &codec.Error{Kind: codec.ErrUnwrap, Cause: errors.New("x")}}
}

// TestKeysAreNeverPrinted prints every holder with every verb and flag, by
// value and by pointer, and through what else writes values.
func TestKeysAreNeverPrinted(t *testing.T) {
	printed := 0
	all := holders(t)
	for name, h := range all {
		if name == "a made key" {
			copy(h.(codec.DataKey).Bytes(), secretKey)
		}
		forms := []any{h, &h, []any{h}, map[string]any{"k": h}, struct{ V any }{h}}
		if v := reflect.ValueOf(h); v.Kind() == reflect.Pointer {
			forms = append(forms, v.Elem()) // fmt prints what it holds
		}
		var out strings.Builder
		for _, f := range forms {
			for _, flag := range []string{"", "+", "#", "-", " ", "0", "10", ".3", "+#"} {
				for verb := byte('A'); verb <= 'z'; verb++ {
					fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", f)
					printed++
				}
			}
			fmt.Fprint(&out, f)
			fmt.Fprintln(&out, f)
			log.New(&out, "", 0).Print(f)
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).Info("x", "v", f)
			}
			if b, err := json.Marshal(f); err == nil {
				out.Write(b)
			}
			if b, err := xml.Marshal(f); err == nil {
				out.Write(b)
			}
			out.WriteString(fmt.Errorf("x: %w, %v", errors.New("y"), f).Error())
			func() {
				defer func() { fmt.Fprint(&out, recover()) }()
				panic(f)
			}()
		}
		text := strings.ToLower(out.String())
		for _, leak := range leaks() {
			if strings.Contains(text, strings.ToLower(leak)) {
				at := strings.Index(text, strings.ToLower(leak))
				t.Errorf("%s was printed: %s", name, text[max(0, at-60):at])
			}
		}
	}
	if len(all) != 21 || printed < 21*5*9*50 {
		t.Errorf("%d holders, %d prints", len(all), printed)
	}
	for _, leak := range leaks()[2:] {
		if !strings.Contains(fmt.Sprintf("%s %x % x %v %#v %b %s %s", secretKey, secretKey, secretKey, secretKey, secretKey, secretKey,
			base64.StdEncoding.EncodeToString(secretKey), strings.ReplaceAll(fmt.Sprint(secretKey), " ", ",")+strings.ReplaceAll(fmt.Sprint(secretKey), " ", ", ")), leak) {
			t.Errorf("%q is no way to print a key", leak)
		}
	}
}

// TestThePanicOfAKeyPrintsNothing: the runtime itself prints what no one
// recovers, by the methods of error and fmt.Stringer.
func TestThePanicOfAKeyPrintsNothing(t *testing.T) {
	k := codec.NewDataKey(bytes.Clone(secretKey))
	if s, ok := any(k).(fmt.Stringer); !ok || s.String() != "[data key]" {
		t.Error("a key has no String, which the runtime would call")
	}
	if got := strconv.Quote(fmt.Sprint(k)) + fmt.Sprintf("%#v", k); got != `"[data key]"[data key]` {
		t.Error(got)
	}
}

// TestKeysAreZeroedAfterUse: each message's copy of its data key.
func TestKeysAreZeroedAfterUse(t *testing.T) {
	ring := &remembering{}
	c := newCodec(t, codec.Config{Keyring: ring})
	raw, err := c.Encrypt(t.Context(), nil, []byte("123-45-6789"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decrypt(t.Context(), nil, m, nil); err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if _, err := c.Decrypt(t.Context(), nil, m, nil); !errors.Is(err, codec.ErrTampered) {
		t.Fatal(err)
	}
	for i, k := range ring.keys {
		if !bytes.Equal(k.Bytes(), make([]byte, 32)) {
			t.Errorf("key %d was not zeroed", i)
		}
	}
	if len(ring.keys) != 3 {
		t.Errorf("%d keys, want 3", len(ring.keys))
	}
}

// remembering is knownKeyring, and keeps what it handed out.
type remembering struct {
	knownKeyring
	keys []codec.DataKey
}

func (r *remembering) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	err := r.knownKeyring.OnEncrypt(ctx, m)
	r.keys = append(r.keys, m.DataKey)
	return err
}

func (r *remembering) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	err := r.knownKeyring.OnDecrypt(ctx, m, keys)
	r.keys = append(r.keys, m.DataKey)
	return err
}
