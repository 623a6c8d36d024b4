package interop

import (
	"fmt"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

// TestSizes prints the bytes of an 11-byte value in each mode: sealsql's and
// AWS's with the same context, and what the driver stores, which adds the pairs
// sealsql:table and sealsql:column.
func TestSizes(t *testing.T) {
	const ssn = "123-45-6789"
	ctx := t.Context()
	fake := sealtest.NewKMS()
	t.Cleanup(fake.Close)
	cfg := fake.AWSConfig("us-east-1")
	arns := []string{fake.CreateKey("us-east-1"), fake.CreateKey("us-east-1")}
	library, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ours := func(n int) codec.Keyring {
		k, err := awskms.New(awskms.Config{Keys: arns[:n], Region: "us-east-1", Client: awskms.Clients(cfg)})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var theirs []mpltypes.IKeyring
	for _, arn := range arns {
		k, err := library.CreateAwsKmsKeyring(ctx, mpltypes.CreateAwsKmsKeyringInput{KmsClient: kms.NewFromConfig(cfg), KmsKeyId: arn})
		if err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, k)
	}
	both, err := library.CreateMultiKeyring(ctx, mpltypes.CreateMultiKeyringInput{Generator: theirs[0], ChildKeyrings: theirs[1:]})
	if err != nil {
		t.Fatal(err)
	}
	store := newBranchStore(t)
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: store.keys, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cache.Close)
	branch, err := branchkey.New(cache, store.id)
	if err != nil {
		t.Fatal(err)
	}
	hierarchical, err := library.CreateAwsKmsHierarchicalKeyring(ctx, mpltypes.CreateAwsKmsHierarchicalKeyringInput{KeyStore: store.aws, BranchKeyId: &store.id, TtlSeconds: 3600})
	if err != nil {
		t.Fatal(err)
	}
	aws, err := goSDK{}.client(codec.SuiteCommit)
	if err != nil {
		t.Fatal(err)
	}
	suite := mpltypes.ESDKAlgorithmSuiteId("0x0478")
	row := map[string]string{"account_number": "1234567890"}
	located := codec.Context{"account_number": "1234567890", "sealsql:table": "accounts", "sealsql:column": "ssn"}

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "bytes of an 11-byte value\tsealsql\tAWS\tby the driver\t")
	for _, c := range []struct {
		name     string
		ours     codec.Keyring
		theirs   mpltypes.IKeyring
		required []string
		want     int // the size that follows from the format
	}{
		{"one KMS key", ours(1), theirs[0], nil, 445},
		{"two KMS keys", ours(2), both, nil, 717},
		{"branch key", branch, hierarchical, nil, 324},
		{"branch key, pair not stored", branch, hierarchical, []string{"account_number"}, 294},
		{"one KMS key, pair not stored", ours(1), theirs[0], []string{"account_number"}, 415},
	} {
		oc, err := codec.New(codec.Config{Keyring: c.ours, RequiredKeys: c.required})
		if err != nil {
			t.Fatal(err)
		}
		size := func(ec codec.Context) int {
			msg, err := oc.Encrypt(ctx, nil, []byte(ssn), ec)
			if err != nil {
				t.Fatal(err)
			}
			return len(msg)
		}
		in := esdktypes.EncryptInput{Plaintext: []byte(ssn), EncryptionContext: row, AlgorithmSuiteId: &suite, Keyring: c.theirs}
		if c.required != nil {
			in.Keyring = nil
			under, err := library.CreateDefaultCryptographicMaterialsManager(ctx, mpltypes.CreateDefaultCryptographicMaterialsManagerInput{Keyring: c.theirs})
			if err == nil {
				in.MaterialsManager, err = library.CreateRequiredEncryptionContextCMM(ctx, mpltypes.CreateRequiredEncryptionContextCMMInput{RequiredEncryptionContextKeys: c.required, UnderlyingCMM: under})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		out, err := aws.Encrypt(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		mine, driver := size(row), size(located)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", c.name, mine, len(out.Ciphertext), driver)
		if mine > len(out.Ciphertext) || mine != c.want {
			t.Errorf("%s: %d bytes, AWS's %d; want %d", c.name, mine, len(out.Ciphertext), c.want)
		}
		if add := driver - mine; len(c.required) == 0 && add != len("sealsql:tableaccountssealsql:columnssn")+8 {
			t.Errorf("%s: the driver adds %d bytes", c.name, add)
		}
		// The reader of the same context opens it, in either implementation.
		got, err := aws.Decrypt(ctx, esdktypes.DecryptInput{Ciphertext: mustSeal(t, oc, ssn, row), Keyring: c.theirs, EncryptionContext: row})
		if err != nil || string(got.Plaintext) != ssn {
			t.Errorf("%s: AWS's SDK does not read it: %v", c.name, err)
		}
		m, err := codec.Parse(out.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		if plaintext, err := oc.Decrypt(ctx, nil, m, row); err != nil || string(plaintext) != ssn {
			t.Errorf("%s: AWS's message is not read: %v", c.name, err)
		}
	}
	side := newCompactSide(t)
	for _, ec := range []codec.Context{row, located} {
		v, err := side.codec.Seal(ctx, nil, []byte(ssn), ec)
		if err != nil {
			t.Fatal(err)
		}
		if len(v) != 53+len(ssn) {
			t.Errorf("a compact value takes %d bytes", len(v))
		}
	}
	fmt.Fprintf(table, "compact\t%d\t–\t%d\t\n", 53+len(ssn), 53+len(ssn))
	_ = table.Flush()
}

func mustSeal(t *testing.T, c *codec.Codec, plaintext string, ec codec.Context) []byte {
	t.Helper()
	msg, err := c.Encrypt(t.Context(), nil, []byte(plaintext), ec)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}
