package policy_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

var update = flag.Bool("update", false, "write the goldens")

func TestTheExampleIsValid(t *testing.T) {
	p, err := policy.Load("../policy.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tables := p.Tables()
	if len(tables) != 3 || tables[1].Schema != "payments" || len(p.Views()) != 1 || len(p.Keyrings()) != 3 {
		t.Errorf("the example was read as %+v", tables)
	}
	card := tables[1].Columns[0]
	if len(card.Context) != 3 || card.Context[0].Key != "card_no" || card.Context[0].Stored || card.Context[2].Value != "payout" {
		t.Errorf("the context was read as %+v", card.Context)
	}
}

func TestAccessorsReturnCopies(t *testing.T) {
	p, err := policy.Load("../policy.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tables := p.Tables()
	tables[0].RowKey[0], tables[0].Columns[0].Name, tables[0].Columns[0].Context[0].Key = "x", "x", "x"
	again := p.Tables()[0]
	if again.RowKey[0] == "x" || again.Columns[0].Name == "x" || again.Columns[0].Context[0].Key == "x" {
		t.Error("a caller changed the policy")
	}
}

// TestMistakes compares what each broken policy of testdata says with its golden.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = policy.Parse("policy.yaml", data)
		if !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%s: %v", f, err)
			continue
		}
		golden := strings.TrimSuffix(f, ".yaml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err2 := os.ReadFile(golden)
		if err2 != nil || string(want) != err.Error()+"\n" {
			t.Errorf("%s says\n%v\nwant\n%s", f, err, want)
		}
	}
	if len(files) != 18 {
		t.Errorf("ran %d policies, want 18", len(files))
	}
}

func TestEnvironmentIsExpandedInARNsOnly(t *testing.T) {
	t.Setenv("TEST_KEY", "11111111-2222-3333-4444-555555555555")
	text := `
version: 1
keyrings: {k: {kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/${TEST_KEY}"]}}}
tables: {t: {row_key: [id], columns: {"${TEST_KEY}": {keyring: k, type: string}}}}
`
	p, err := policy.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := p.Keyring("k")
	if !strings.HasSuffix(k.KMS.ARNs[0], "555555555555") || p.Tables()[0].Columns[0].Name != "${TEST_KEY}" {
		t.Errorf("read as %v, %v", k.KMS.ARNs, p.Tables()[0].Columns[0].Name)
	}
}

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../policy.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("x", data)
		if (p == nil) == (err == nil) {
			t.Error("neither a policy nor an error, or both")
		}
		if err != nil && !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("error %v is not typed", err)
		}
	})
}

// TestNullIsAWord of on_mismatch, with quotes and without.
func TestNullIsAWord(t *testing.T) {
	for _, word := range []string{"null", `"null"`} {
		p, err := policy.Parse("p", []byte(`
version: 1
keyrings: {k: {kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]}}}
tables: {t: {row_key: [id], columns: {x: {keyring: k, type: string, on_mismatch: `+word+`}}}}
`))
		if err != nil || p.Tables()[0].Columns[0].OnMismatch != policy.MismatchNull {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestContentKeysAreKeptUnlessThePolicySaysOtherwise(t *testing.T) {
	const text = `
version: 1
keyrings:
  plain: {raw_aes: {key_env: K}}
  usual: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x}}
  none: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x, content_keys: 0}}
  many: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x, content_keys: 50000}}
tables:
  t: {row_key: [id], columns: {c: {keyring: usual, type: string}}}
`
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"plain": 0, "usual": 2000, "none": 0, "many": 50000} {
		if k, ok := p.Keyring(name); !ok || k.DataKey.ContentKeys != want {
			t.Errorf("%s keeps %d content keys, want %d", name, k.DataKey.ContentKeys, want)
		}
	}
}

func TestNewValuesAreMessagesUnlessTheKeyringSaysOtherwise(t *testing.T) {
	const text = `
version: 1
keyrings:
  usual: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x}}
  small: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x}, format: compact}
tables:
  t: {row_key: [id], columns: {c: {keyring: usual, type: string}}}
`
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]policy.Format{"usual": policy.FormatMessage, "small": policy.FormatCompact} {
		if k, ok := p.Keyring(name); !ok || k.Format != want {
			t.Errorf("%s writes %q, want %q", name, k.Format, want)
		}
	}
}
