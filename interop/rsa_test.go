package interop

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"

	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawrsa"
)

// rsaKey is a key pair for raw RSA keyrings, and the same in the form that AWS's
// SDKs take.
type rsaKey struct {
	padding         rawrsa.Padding
	key             *rsa.PrivateKey
	public, private []byte // PEM
}

var paddings = map[rawrsa.Padding]mpltypes.PaddingScheme{
	rawrsa.PKCS1: mpltypes.PaddingSchemePkcs1, rawrsa.OAEPSHA1: mpltypes.PaddingSchemeOaepSha1Mgf1, rawrsa.OAEPSHA256: mpltypes.PaddingSchemeOaepSha256Mgf1,
	rawrsa.OAEPSHA384: mpltypes.PaddingSchemeOaepSha384Mgf1, rawrsa.OAEPSHA512: mpltypes.PaddingSchemeOaepSha512Mgf1,
}

func newRSAKey(t *testing.T, p rawrsa.Padding, bits int) *rsaKey {
	t.Helper()
	k := &rsaKey{padding: p}
	var err error
	if k.key, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		t.Fatal(err)
	}
	k.public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	k.private = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return k
}

// TestRawRSA exchanges messages under raw RSA keyrings, each way, with every
// padding: what one SDK wraps the other opens, and a key pair or padding that is
// another's opens nothing.
func TestRawRSA(t *testing.T) {
	ran, refused := 0, 0
	ec := map[string]string{"account_number": "1234567890", "b": "é"}
	for name, p := range map[string]peer{"Go": goSDK{}, "JavaScript": startNode(t)} {
		for padding := range paddings {
			for _, bits := range []int{2048, 3072} {
				k, other := keys{rsa: newRSAKey(t, padding, bits)}, keys{rsa: newRSAKey(t, padding, bits)}
				for _, s := range []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned, codec.Suite256HKDF, codec.Suite128, codec.Suite192HKDFSigned} {
					for dir, pair := range [2][2]peer{{ours{}, p}, {p, ours{}}} {
						msg, err := pair[0].encrypt(k, s, 32, []byte("900-12-3456"), ec)
						if err != nil {
							t.Fatalf("%s, %s of %d bits, suite %s, direction %d: encrypt: %v", name, paddings[padding], bits, s, dir, err)
						}
						if dir == 0 && name == "JavaScript" && padding == rawrsa.PKCS1 {
							continue // Node 20 does not decrypt PKCS #1 v1.5 (CVE-2023-46809)
						}
						got, err := pair[1].decrypt(k, s, msg, ec)
						if err != nil || string(got) != "900-12-3456" {
							t.Errorf("%s, %s of %d bits, suite %s, direction %d: decrypt: %v", name, paddings[padding], bits, s, dir, err)
						}
						ran++
						if _, err := pair[1].decrypt(other, s, msg, ec); err == nil {
							t.Errorf("%s, %s of %d bits, suite %s, direction %d: another key pair opens it", name, paddings[padding], bits, s, dir)
						}
						refused++
					}
				}
			}
		}
	}
	if ran != 2*5*2*5*2-2*5 || refused != ran {
		t.Errorf("ran %d exchanges, %d were to be refused", ran, refused)
	}
}

// TestRawRSAOfAnotherPadding: what AWS's SDK wrapped with one padding does not open
// with another, and is told from a message of another key.
func TestRawRSAOfAnotherPadding(t *testing.T) {
	ran := 0
	for wrote := range paddings {
		k := keys{rsa: newRSAKey(t, wrote, 2048)}
		raw, err := goSDK{}.encrypt(k, codec.SuiteCommit, 4096, []byte("900-12-3456"), nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := codec.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for read := range paddings {
			ring, err := rawrsa.New("interop", "key", read, nil, k.rsa.key)
			if err != nil {
				t.Fatal(err)
			}
			c, err := codec.New(codec.Config{Keyring: ring})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Decrypt(context.Background(), nil, m, nil)
			if read == wrote && err != nil || read != wrote && !errors.Is(err, codec.ErrUnwrap) {
				t.Errorf("%s read as %s: %v", paddings[wrote], paddings[read], err)
			}
			ran++
		}
	}
	if ran != 25 {
		t.Errorf("ran %d pairs", ran)
	}
}
