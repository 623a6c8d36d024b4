package keyrings

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/policy"
)

const keyVariable = "SEALSQL_TEST_KEYRINGS_KEY"

// setUp returns a set and the column ssn of a policy whose keyring k has the fields.
func setUp(t *testing.T, c Config, fields string) (*Set, *policy.Policy, policy.Column) {
	t.Helper()
	t.Setenv(keyVariable, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
keyrings:
  k: {`+fields+`}
tables:
  accounts:
    row_key: [id]
    columns:
      ssn: {keyring: k, type: string, storage: binary, context: {id: id}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Counters == nil {
		c.Counters = alert.NewCounters()
	}
	s := New(c)
	t.Cleanup(s.Close)
	return s, p, p.Tables()[0].Columns[0]
}

const rawFields = "raw_aes: {namespace: n, name: a, key_env: " + keyVariable + "}"

var row = codec.Context{"id": "1"}

func seal(t *testing.T, c *codec.Codec) []byte {
	t.Helper()
	sealed, err := c.Encrypt(t.Context(), nil, []byte("900-12-3456"), row)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// open opens a value for a row.
func open(t *testing.T, c *codec.Codec, sealed []byte, ec codec.Context) error {
	t.Helper()
	m, err := codec.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decrypt(t.Context(), nil, m, ec)
	if err == nil && string(got) != "900-12-3456" {
		t.Errorf("opened %q", got)
	}
	return err
}

func codecOf(t *testing.T, s *Set, p *policy.Policy, c policy.Column) *codec.Codec {
	t.Helper()
	out, err := s.Codec(p, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEachKindOfWrappingKeyHasOneProvider(t *testing.T) {
	kinds := map[string]policy.Keyring{"KMS": {KMS: &policy.KMS{}}, "a raw key": {RawAES: &policy.RawAES{}}}
	if len(kinds) != len(providers) {
		t.Errorf("%d providers, and %d kinds in this test", len(providers), len(kinds))
	}
	described := map[string]bool{}
	for name, d := range kinds {
		n := 0
		for _, p := range providers {
			if p.serves(d) {
				n++
				described[p.describe(d)] = true
			}
		}
		if n != 1 {
			t.Errorf("%d providers serve %s, want 1", n, name)
		}
	}
	if len(described) != len(kinds) {
		t.Errorf("%d descriptions tell %d kinds apart", len(described), len(kinds))
	}
	if _, err := providerOf(policy.Keyring{}); err == nil {
		t.Error("a keyring without wrapping keys has a provider")
	}
}

func TestARawKeyMustBeInTheEnvironment(t *testing.T) {
	ran := 0
	for name, c := range map[string]struct{ value, wants string }{
		"an empty variable":          {"", keyVariable},
		"a value that is not base64": {"***", keyVariable},
		"a key of seven bytes":       {base64.StdEncoding.EncodeToString(make([]byte, 7)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			ran++
			s, p, col := setUp(t, Config{}, rawFields)
			t.Setenv(keyVariable, c.value)
			_, err := s.Codec(p, col, nil)
			if !errors.Is(err, fault.ErrPolicy) || !strings.Contains(err.Error(), c.wants) || c.value != "" && strings.Contains(err.Error(), c.value) {
				t.Errorf("got %v", err)
			}
		})
	}
	if ran != 3 {
		t.Errorf("%d cases ran, want 3", ran)
	}
}

// A policy may go from one way of making data keys to another, and back: each reader
// opens what each writer sealed, if its keyring names the branch keys.
func TestValuesOpenAfterAChangeOfTheDataKeys(t *testing.T) {
	branch := ", store: 'file:" + t.TempDir() + "/keys', ttl: 15m, branch_key: customers"
	ways := map[string]string{
		"value":                         "data_key: {per: value}",
		"value, and opens branch keys":  "data_key: {per: value" + branch + "}",
		"cached, and opens branch keys": "data_key: {per: cached, max_age: 5m" + branch + "}",
		"branch":                        "data_key: {per: branch" + branch + "}",
	}
	codecs := map[string]*codec.Codec{}
	created := false
	for name, way := range ways {
		s, p, col := setUp(t, Config{}, rawFields+", "+way)
		if keys, err := s.BranchKeys(p, "k"); (err == nil) != strings.Contains(name, "branch") {
			t.Fatalf("%s: BranchKeys: %v", name, err)
		} else if err == nil && !created {
			if _, err := keys.Create(t.Context(), "customers", nil); err != nil {
				t.Fatal(err)
			}
			created = true
		}
		codecs[name] = codecOf(t, s, p, col)
	}
	ran := 0
	for writer, seals := range codecs {
		sealed := seal(t, seals)
		for reader, opens := range codecs {
			ran++
			err := open(t, opens, sealed, row)
			if works := writer != "branch" || reader != "value"; (err == nil) != works {
				t.Errorf("written per %s, read per %s: %v", writer, reader, err)
			}
			if open(t, opens, sealed, codec.Context{"id": "2"}) == nil {
				t.Errorf("written per %s, read per %s: it opens for another row", writer, reader)
			}
		}
	}
	if ran != 16 {
		t.Errorf("%d pairs ran, want 16", ran)
	}
}

// counting counts the calls for data keys.
type counting struct {
	codec.Keyring
	decrypts int
}

func (c *counting) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	c.decrypts++
	return c.Keyring.OnDecrypt(ctx, m, keys)
}

func TestSelfCheckOpensAValueOnceWithoutItsKeyring(t *testing.T) {
	for _, c := range []struct {
		name      string
		selfCheck bool
		rows      []string // that the value is opened for, in turn
		opens     []bool
		calls     int
	}{
		{"without self-check each opening asks the keyring", false, []string{"1", "1"}, []bool{true, true}, 2},
		{"the first opening asks nobody", true, []string{"1"}, []bool{true}, 0},
		{"the second opening asks the keyring", true, []string{"1", "1"}, []bool{true, true}, 1},
		{"another row does not open", true, []string{"2"}, []bool{false}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := rawaes.New("n", "a", make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			k := &counting{Keyring: raw}
			s, p, col := setUp(t, Config{SelfCheck: c.selfCheck, Keyrings: map[string]codec.Keyring{"k": k}}, rawFields)
			column := codecOf(t, s, p, col)
			sealed := seal(t, column)
			for i, id := range c.rows {
				if err := open(t, column, sealed, codec.Context{"id": id}); (err == nil) != c.opens[i] {
					t.Errorf("opening %d, for row %s: %v", i+1, id, err)
				}
			}
			if k.decrypts != c.calls {
				t.Errorf("the keyring was asked %d times, want %d", k.decrypts, c.calls)
			}
		})
	}
}

// The codec compares contexts before it asks for a data key. The keyring does so too.
func TestSelfCheckLendsADataKeyOnlyForItsContextAndSuite(t *testing.T) {
	ran := 0
	for name, c := range map[string]struct {
		id    string
		suite codec.Suite
		calls int
	}{
		"the context and the suite of the sealing": {"1", codec.SuiteCommit, 0},
		"another context":                          {"2", codec.SuiteCommit, 1},
		"another suite":                            {"1", codec.SuiteCommit + 0x100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ran++
			raw, err := rawaes.New("n", "a", make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			k := &counting{Keyring: raw}
			check := newSelfCheck(k)
			column, err := codec.New(codec.Config{Keyring: check})
			if err != nil {
				t.Fatal(err)
			}
			m, err := codec.Parse(seal(t, column))
			if err != nil {
				t.Fatal(err)
			}
			ec := m.Context()
			ec["id"] = c.id
			_ = check.OnDecrypt(t.Context(), &codec.DecryptionMaterials{Context: ec, Suite: c.suite}, m.WrappedKeys())
			if k.decrypts != c.calls {
				t.Errorf("the keyring was asked %d times, want %d", k.decrypts, c.calls)
			}
		})
	}
	if ran != 3 {
		t.Errorf("%d cases ran, want 3", ran)
	}
}

func TestSelfCheckForgetsKeys(t *testing.T) {
	raw, err := rawaes.New("n", "a", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, p, col := setUp(t, Config{SelfCheck: true, Keyrings: map[string]codec.Keyring{"k": raw}}, rawFields)
	column := codecOf(t, s, p, col)
	for range maxRemembered + 1 {
		seal(t, column)
	}
	if n := len(s.checks[0].keys); n != 1 {
		t.Errorf("%d keys are remembered after %d values that nobody opened, want 1", n, maxRemembered+1)
	}
	s.Close()
	if n := len(s.checks[0].keys); n != 0 {
		t.Errorf("%d keys are remembered after Close", n)
	}
}

func TestAKeyringThatAPolicyLeavesAsItWasIsKept(t *testing.T) {
	s, p, _ := setUp(t, Config{}, rawFields)
	first, err := s.keyring(p, "k")
	if err != nil {
		t.Fatal(err)
	}
	_, same, _ := setUp(t, Config{}, rawFields)
	_, other, _ := setUp(t, Config{}, strings.Replace(rawFields, "name: a", "name: b", 1))
	if k, err := s.keyring(same, "k"); err != nil || k != first {
		t.Errorf("the same keyring was built again: %v", err)
	}
	if k, err := s.keyring(other, "k"); err != nil || k == first {
		t.Errorf("another wrapping key has the keyring of the first: %v", err)
	}
	if _, err := s.keyring(p, "unknown"); !errors.Is(err, fault.ErrPolicy) {
		t.Errorf("an unknown keyring: %v", err)
	}
}
