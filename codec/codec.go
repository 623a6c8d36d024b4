package codec

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Defaults of [Config].
const (
	DefaultFrameLength    = 4096
	DefaultMaxWrappedKeys = 16
	DefaultMaxMessage     = 64 << 20
)

// Config describes how a [Codec] writes and reads. Exactly one of Keyring and
// Materials must be set.
type Config struct {
	Keyring   Keyring
	Materials Materials
	// Suite is the suite of new messages; zero means 0478, or 0178 under the policy that
	// forbids commitment.
	Suite Suite
	// Commitment is the commitment policy; zero means
	// [CommitmentRequireEncryptRequireDecrypt].
	Commitment Commitment
	// FrameLength is the plaintext length of a frame in bytes; zero means 4096.
	FrameLength uint32
	// MaxWrappedKeys bounds the wrapped keys of a message; zero means 16.
	MaxWrappedKeys int
	// MaxMessage bounds plaintexts and messages, in bytes; zero means 64 MiB.
	MaxMessage int
	// RequiredKeys are context keys that are authenticated but not stored: who
	// decrypts must know them (framework/required-encryption-context-cmm).
	RequiredKeys []string
}

// Codec encrypts and decrypts messages. It is immutable and safe for
// concurrent use.
type Codec struct {
	c         Config
	info      *suiteInfo
	materials Materials // or
	keyring   defaultMaterials
	keeper    ContentKeyCache // the keyring, if it is one
}

// New checks the configuration and returns a codec.
func New(c Config) (*Codec, error) {
	if (c.Keyring == nil) == (c.Materials == nil) {
		return nil, errors.New("codec: set exactly one of Keyring and Materials")
	}
	if c.Commitment == 0 {
		c.Commitment = CommitmentRequireEncryptRequireDecrypt
	}
	if c.Suite == 0 {
		c.Suite = SuiteCommit
		if c.Commitment == CommitmentForbidEncryptAllowDecrypt {
			c.Suite = Suite256HKDF
		}
	}
	info := c.Suite.info()
	switch {
	case info == nil:
		return nil, &Error{Kind: ErrUnsupportedSuite, What: "suite " + c.Suite.String()}
	case c.Commitment > CommitmentRequireEncryptRequireDecrypt:
		return nil, errors.New("codec: the commitment policy is unknown")
	case !c.Commitment.writes(c.Suite):
		return nil, &Error{Kind: ErrCommitmentPolicy, Op: "encrypt", What: "suite " + c.Suite.String()}
	case c.MaxWrappedKeys < 0 || c.MaxMessage < 0:
		return nil, errors.New("codec: a limit is negative")
	case slices.Contains(c.RequiredKeys, publicKeyContextKey):
		return nil, invalidContext(publicKeyContextKey + " cannot be left out of the message")
	}
	if c.FrameLength == 0 {
		c.FrameLength = DefaultFrameLength
	}
	if c.MaxWrappedKeys == 0 {
		c.MaxWrappedKeys = DefaultMaxWrappedKeys
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = DefaultMaxMessage
	}
	c.RequiredKeys = slices.Clone(c.RequiredKeys)
	slices.Sort(c.RequiredKeys)
	keeper, _ := c.Keyring.(ContentKeyCache)
	return &Codec{c: c, info: info, materials: c.Materials, keyring: defaultMaterials{c.Keyring}, keeper: keeper}, nil
}

// Encrypt appends a message that holds plaintext, bound to ec, to dst. The
// context is checked before any key is asked for; ctx and its deadline reach the
// keyring. On error dst is returned unchanged.
func (c *Codec) Encrypt(ctx context.Context, dst, plaintext []byte, ec Context) ([]byte, error) {
	var inline [inlinePairs]pair
	pairs := collect(inline[:0], ec)
	if err := checkCaller(pairs); err != nil {
		return dst, err
	}
	if len(plaintext) > c.c.MaxMessage {
		return dst, &Error{Kind: ErrLimit, Op: "encrypt", What: fmt.Sprintf("the plaintext is longer than %d bytes", c.c.MaxMessage)}
	}
	for _, k := range c.c.RequiredKeys {
		if _, ok := ec[k]; !ok {
			return dst, invalidContext("the required key " + k + " is missing")
		}
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	r := EncryptionRequest{Suite: c.c.Suite, Context: ec, RequiredKeys: c.c.RequiredKeys, PlaintextLength: len(plaintext)}
	m, err := c.encryption(ctx, r, s, pairs)
	if err != nil {
		return dst, err
	}
	defer c.done(m.DataKey)
	if len(m.WrappedKeys) > c.c.MaxWrappedKeys {
		return dst, &Error{Kind: ErrLimit, Op: "encrypt", What: "the keyring made more wrapped keys than the limit"}
	}
	for _, k := range m.WrappedKeys {
		if max(len(k.ProviderID), len(k.ProviderInfo), len(k.Ciphertext)) > maxField {
			return dst, &Error{Kind: ErrLimit, Op: "encrypt", What: "the keyring made a wrapped key that is longer than the format takes"}
		}
	}
	if c.materials != nil || c.info.curve != nil { // its context may be another
		pairs = collect(pairs[:0], m.Context)
	}
	return c.write(dst, plaintext, m, s, pairs)
}

// encryption asks for materials. A keyring is spared from serializing the
// context again.
func (c *Codec) encryption(ctx context.Context, r EncryptionRequest, s *scratch, pairs []pair) (*EncryptionMaterials, error) {
	if c.materials != nil {
		return c.materials.Encryption(ctx, r)
	}
	s.context = appendPairs(s.context[:0], pairs)
	return c.keyring.encryption(ctx, r, s.context)
}

func (c *Codec) done(key DataKey) {
	if c.materials != nil {
		c.materials.Done(key)
	} else {
		key.Zero()
	}
}

// write appends a message. The pairs are those of the materials' context.
func (c *Codec) write(dst, plaintext []byte, m *EncryptionMaterials, s *scratch, pairs []pair) ([]byte, error) {
	pairs, left := split(pairs, m.RequiredKeys)
	length, err := serializedLength(pairs)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	out := slices.Grow(dst, c.size(length, m.WrappedKeys, len(plaintext)))
	out, id := c.appendHeader(out, m, pairs, length)
	aead, commitment, err := s.contentKey(c.c.Suite, c.info, m.DataKey.Bytes(), id)
	if err != nil {
		return dst, err
	}
	if c.info.version == 2 {
		out = append(out, commitment[:]...)
	}
	out = appendHeaderTag(out, start, c.info, aead, left)
	out = c.appendFrames(out, s, aead, id, plaintext)
	if c.info.curve == nil {
		return out, nil
	}
	signature, err := m.SigningKey.Sign(rand.Reader, c.info.digest(out[start:]), c.info.sign)
	if err != nil {
		return dst, err
	}
	return appendField(out, signature), nil
}

// appendHeader appends the header body up to the commitment.
func (c *Codec) appendHeader(out []byte, m *EncryptionMaterials, pairs []pair, contextLength int) (_, id []byte) {
	out = append(out, c.info.version)
	if c.info.version == 1 {
		out = append(out, 0x80)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(c.c.Suite))
	at, n := len(out), c.info.idLength()
	out = append(out, zeros[:n]...)
	id = out[at : at+n]
	_, _ = rand.Read(id) // never fails
	out = binary.BigEndian.AppendUint16(out, uint16(contextLength))
	out = appendPairs(out, pairs)
	out = binary.BigEndian.AppendUint16(out, uint16(len(m.WrappedKeys)))
	for _, k := range m.WrappedKeys {
		out = appendField(out, k.ProviderID)
		out = appendField(out, k.ProviderInfo)
		out = appendField(out, k.Ciphertext)
	}
	out = append(out, 2)
	if c.info.version == 1 {
		out = append(out, 0, 0, 0, 0, ivLength)
	}
	return binary.BigEndian.AppendUint32(out, c.c.FrameLength), id
}

var zeros [64]byte

// appendHeaderTag appends the header's authentication.
func appendHeaderTag(out []byte, start int, info *suiteInfo, aead cipher.AEAD, left []pair) []byte {
	aad := out[start:]
	if len(left) > 0 {
		aad = appendPairs(slices.Clone(aad), left)
	}
	if info.version == 1 {
		out = append(out, zeros[:ivLength]...)
	}
	return aead.Seal(out, zeros[:ivLength], nil, aad)
}

const (
	frameLabel      = "AWSKMSEncryptionClient Frame"
	finalFrameLabel = "AWSKMSEncryptionClient Final Frame"
	blockLabel      = "AWSKMSEncryptionClient Single Block"
	finalFrameMark  = 0xffffffff
)

// appendBodyAAD appends the additional data of a frame or block.
func appendBodyAAD(dst, id []byte, label string, sequence uint32, length uint64) []byte {
	dst = append(append(dst, id...), label...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, sequence), length)
}

func (c *Codec) appendFrames(out []byte, s *scratch, aead cipher.AEAD, id, plaintext []byte) []byte {
	iv, buf := s.iv[:], s.aad[:0]
	clear(iv)
	sequence := uint32(1)
	for ; len(plaintext) > int(c.c.FrameLength); sequence++ {
		binary.BigEndian.PutUint32(iv[8:], sequence)
		aad := appendBodyAAD(buf, id, frameLabel, sequence, uint64(c.c.FrameLength))
		out = append(binary.BigEndian.AppendUint32(out, sequence), iv...)
		out = aead.Seal(out, iv, plaintext[:c.c.FrameLength], aad)
		plaintext = plaintext[c.c.FrameLength:]
	}
	binary.BigEndian.PutUint32(iv[8:], sequence)
	aad := appendBodyAAD(buf, id, finalFrameLabel, sequence, uint64(len(plaintext)))
	out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, finalFrameMark), sequence)
	out = append(out, iv...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(plaintext)))
	return aead.Seal(out, iv, plaintext, aad)
}

// size is the length of a message in bytes; for suites that sign, the greatest.
func (c *Codec) size(contextLength int, keys []WrappedKey, plaintext int) int {
	n := 1 + 2 + c.info.idLength() + 2 + contextLength + 2 + 1 + 4 + tagLength
	if c.info.version == 1 {
		n += 1 + 4 + 1 + ivLength
	} else {
		n += commitmentLength
	}
	for _, k := range keys {
		n += 6 + len(k.ProviderID) + len(k.ProviderInfo) + len(k.Ciphertext)
	}
	frames := 0
	if plaintext > 0 {
		frames = (plaintext - 1) / int(c.c.FrameLength)
	}
	n += plaintext + frames*(4+ivLength+tagLength) + 4 + 4 + ivLength + 4 + tagLength
	if c.info.curve != nil {
		n += 2 + maxSignatureLength(c.info.curve)
	}
	return n
}

// Size returns the length in bytes of the message that Encrypt would write for
// a plaintext of n bytes under ec, wrapped as keys; the greatest length for
// suites that sign, whose signatures vary by a few bytes.
func (c *Codec) Size(ec Context, keys []WrappedKey, n int) (int, error) {
	pairs, _ := split(collect(nil, ec), c.c.RequiredKeys)
	if c.info.curve != nil {
		pairs = append(pairs, pair{publicKeyContextKey, string(make([]byte, (1+(c.info.curve.Params().BitSize+7)/8+2)/3*4))})
	}
	length, err := serializedLength(pairs)
	return c.size(length, keys, n), err
}
