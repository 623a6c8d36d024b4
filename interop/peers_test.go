// Package interop exchanges messages with AWS's own SDKs.
package interop

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	esdk "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygenerated"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/codec/rawrsa"
	"github.com/sealsql/sealsql/sealtest"
)

// keys says which wrapping key is used.
type keys struct {
	raw []byte  // a raw AES key, or
	rsa *rsaKey // a raw RSA key pair, or
	arn string  // a key of the fake KMS
	// replica, if set, is the multi-Region key's in the Region that reads: then
	// keyrings are those that know of multi-Region keys.
	replica string
	cfg     aws.Config
	url     string
}

// region is the Region of an ARN.
func region(arn string) string { return strings.Split(arn, ":")[3] }

// reading returns the keys as the reader has them.
func (k keys) reading() keys {
	if k.replica != "" {
		k.arn = k.replica
	}
	return k
}

// peer is an SDK.
type peer interface {
	encrypt(k keys, s codec.Suite, frame int, plaintext []byte, ec map[string]string) ([]byte, error)
	decrypt(k keys, s codec.Suite, message []byte, ec map[string]string) ([]byte, error)
}

func commitment(s codec.Suite) codec.Commitment {
	if s.Committing() {
		return codec.CommitmentRequireEncryptRequireDecrypt
	}
	return codec.CommitmentForbidEncryptAllowDecrypt
}

// ours is sealsql's codec.
type ours struct{}

func (ours) codec(k keys, s codec.Suite, frame int) (*codec.Codec, error) {
	var ring codec.Keyring
	var err error
	switch {
	case k.raw != nil:
		ring, err = rawaes.New("interop", "key", k.raw)
	case k.rsa != nil:
		ring, err = rawrsa.New("interop", "key", k.rsa.padding, &k.rsa.key.PublicKey, k.rsa.key)
	default:
		ring, err = awskms.New(awskms.Config{Keys: []string{k.arn}, Region: region(k.arn), Client: awskms.Clients(k.cfg)})
	}
	if err != nil {
		return nil, err
	}
	return codec.New(codec.Config{Keyring: ring, Suite: s, Commitment: commitment(s), FrameLength: uint32(frame)})
}

func (o ours) encrypt(k keys, s codec.Suite, frame int, plaintext []byte, ec map[string]string) ([]byte, error) {
	c, err := o.codec(k, s, frame)
	if err != nil {
		return nil, err
	}
	return c.Encrypt(context.Background(), nil, plaintext, ec)
}

func (o ours) decrypt(k keys, s codec.Suite, message []byte, ec map[string]string) ([]byte, error) {
	c, err := o.codec(k, s, 4096)
	if err != nil {
		return nil, err
	}
	m, err := codec.Parse(message)
	if err != nil {
		return nil, err
	}
	return c.Decrypt(context.Background(), nil, m, ec)
}

// goSDK is the AWS Encryption SDK for Go.
type goSDK struct{}

func (goSDK) keyring(k keys) (mpltypes.IKeyring, error) {
	c, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		return nil, err
	}
	if k.raw != nil {
		return c.CreateRawAesKeyring(context.Background(), mpltypes.CreateRawAesKeyringInput{KeyName: "key", KeyNamespace: "interop",
			WrappingKey: k.raw, WrappingAlg: mpltypes.AesWrappingAlgAlgAes256GcmIv12Tag16})
	}
	if k.rsa != nil {
		return c.CreateRawRsaKeyring(context.Background(), mpltypes.CreateRawRsaKeyringInput{KeyName: "key", KeyNamespace: "interop",
			PaddingScheme: paddings[k.rsa.padding], PublicKey: k.rsa.public, PrivateKey: k.rsa.private})
	}
	client := kms.NewFromConfig(k.cfg, func(o *kms.Options) { o.Region = region(k.arn) })
	if k.replica != "" {
		return c.CreateAwsKmsMrkKeyring(context.Background(), mpltypes.CreateAwsKmsMrkKeyringInput{KmsClient: client, KmsKeyId: k.arn})
	}
	return c.CreateAwsKmsKeyring(context.Background(), mpltypes.CreateAwsKmsKeyringInput{KmsClient: client, KmsKeyId: k.arn})
}

func (goSDK) client(s codec.Suite) (*esdk.Client, error) {
	policy := mpltypes.ESDKCommitmentPolicyRequireEncryptRequireDecrypt
	if !s.Committing() {
		policy = mpltypes.ESDKCommitmentPolicyForbidEncryptAllowDecrypt
	}
	return esdk.NewClient(esdktypes.AwsEncryptionSdkConfig{CommitmentPolicy: &policy})
}

func (g goSDK) encrypt(k keys, s codec.Suite, frame int, plaintext []byte, ec map[string]string) ([]byte, error) {
	ring, err := g.keyring(k)
	if err != nil {
		return nil, err
	}
	c, err := g.client(s)
	if err != nil {
		return nil, err
	}
	suite, length := mpltypes.ESDKAlgorithmSuiteId("0x"+s.String()), int64(frame)
	out, err := c.Encrypt(context.Background(), esdktypes.EncryptInput{Plaintext: plaintext, EncryptionContext: ec, Keyring: ring, AlgorithmSuiteId: &suite, FrameLength: &length})
	if err != nil {
		return nil, err
	}
	return out.Ciphertext, nil
}

func (g goSDK) decrypt(k keys, s codec.Suite, message []byte, ec map[string]string) ([]byte, error) {
	ring, err := g.keyring(k)
	if err != nil {
		return nil, err
	}
	c, err := g.client(s)
	if err != nil {
		return nil, err
	}
	out, err := c.Decrypt(context.Background(), esdktypes.DecryptInput{Ciphertext: message, EncryptionContext: ec, Keyring: ring})
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}

// node is the AWS Encryption SDK for JavaScript, in a process of its own.
type node struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

func startNode(t testing.TB) *node {
	t.Helper()
	cmd := exec.Command("node", "node/peer.js")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("node does not start: %v; run make interop, which installs what it needs", err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		_ = cmd.Wait()
	})
	return &node{in: in, out: bufio.NewReader(out)}
}

func (n *node) ask(op string, k keys, s codec.Suite, frame int, data []byte, ec map[string]string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	request := map[string]any{"op": op, "suite": int(s), "data": data, "context": ec, "frame": frame}
	switch {
	case k.raw != nil:
		request["key"] = hex.EncodeToString(k.raw)
	case k.rsa != nil:
		request["rsa"] = map[string]any{"public": string(k.rsa.public), "private": string(k.rsa.private), "padding": paddings[k.rsa.padding]}
	default:
		request["kms"] = map[string]any{"arn": k.arn, "endpoint": k.url, "mrk": k.replica != "", "region": region(k.arn)}
	}
	line, err := json.Marshal(request)
	if err == nil {
		_, err = n.in.Write(append(line, '\n'))
	}
	if err != nil {
		return nil, err
	}
	reply, err := n.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data  []byte
		Error string
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return answer.Data, nil
}

func (n *node) encrypt(k keys, s codec.Suite, frame int, plaintext []byte, ec map[string]string) ([]byte, error) {
	return n.ask("encrypt", k, s, frame, plaintext, ec)
}

func (n *node) decrypt(k keys, s codec.Suite, message []byte, ec map[string]string) ([]byte, error) {
	return n.ask("decrypt", k, s, 4096, message, ec)
}

// bothWays exchanges messages between sealsql and the peer, each way.
func bothWays(t *testing.T, p peer) int {
	t.Helper()
	fake := sealtest.NewKMS()
	t.Cleanup(fake.Close)
	arn := fake.CreateKey("us-east-1")
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	cfg := fake.AWSConfig("us-east-1")
	mrk := fake.CreateMultiRegionKey("us-east-1", "eu-west-1")
	wrapping := map[string]keys{"raw AES": {raw: raw}, "KMS": {arn: arn, cfg: cfg, url: fake.URL()},
		"a multi-Region key, read with its replica": {arn: mrk[0], replica: mrk[1], cfg: cfg, url: fake.URL()}}
	contexts := []map[string]string{{}, {"account_number": "1234567890"}, {"b": "é", "a": "2", "z\U0001F600": "astral", "z\uffee": "high"}}
	ran := 0
	for name, k := range wrapping {
		for _, s := range []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned, codec.Suite256HKDF, codec.Suite256HKDFSigned} {
			for i, ec := range contexts {
				for _, n := range []int{0, 11, 32, 100} {
					plaintext := make([]byte, n)
					for dir, pair := range [2][2]peer{{ours{}, p}, {p, ours{}}} {
						msg, err := pair[0].encrypt(k, s, 32, plaintext, ec)
						if err != nil {
							t.Fatalf("%s, suite %s, context %d, %d bytes, direction %d: encrypt: %v", name, s, i, n, dir, err)
						}
						got, err := pair[1].decrypt(k.reading(), s, msg, ec)
						if err != nil || string(got) != string(plaintext) {
							t.Fatalf("%s, suite %s, context %d, %d bytes, direction %d: decrypt: %v", name, s, i, n, dir, err)
						}
						ran++
					}
				}
			}
		}
	}
	return ran
}

func TestGoSDK(t *testing.T) {
	if ran := bothWays(t, goSDK{}); ran != 3*4*3*4*2 {
		t.Errorf("ran %s exchanges", strconv.Itoa(ran))
	}
}

func TestNodeSDK(t *testing.T) {
	if ran := bothWays(t, startNode(t)); ran != 3*4*3*4*2 {
		t.Errorf("ran %s exchanges", strconv.Itoa(ran))
	}
}
