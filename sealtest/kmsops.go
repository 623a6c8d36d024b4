package sealtest

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Limits of the service's API reference, in bytes.
const (
	maxPlaintext      = 4096
	maxCiphertext     = 6144
	maxContext        = 8192
	maxDataKey        = 1024
	maxGrantTokens    = 10
	symmetric         = "SYMMETRIC_DEFAULT"
	encryptDecrypt    = "ENCRYPT_DECRYPT"
	noSuchCiphertext  = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
	wrongKeyForCipher = "The key ID in the request does not identify a CMK that can perform this operation."
)

// request holds the members of all the operations' requests; a request has
// those of its own.
type request struct {
	KeyId               string
	SourceKeyId         string
	DestinationKeyId    string
	KeySpec             string
	NumberOfBytes       *int
	Plaintext           []byte
	CiphertextBlob      []byte
	EncryptionAlgorithm string
	EncryptionContext   map[string]string
	GrantTokens         []string
	DryRun              bool

	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceEncryptionContext        map[string]string
	DestinationEncryptionContext   map[string]string
}

func (r *request) keyID() string {
	if r.DestinationKeyId != "" {
		return r.DestinationKeyId
	}
	return r.KeyId
}

func (r *request) context() map[string]string {
	if r.SourceEncryptionContext != nil {
		return r.SourceEncryptionContext
	}
	return r.EncryptionContext
}

type operation func(*KMS, *Call, *request) (any, *kmsError)

var operations = map[string]operation{
	"GenerateDataKey":                 (*KMS).generateDataKey,
	"GenerateDataKeyWithoutPlaintext": (*KMS).generateDataKey,
	"Encrypt":                         (*KMS).encrypt,
	"Decrypt":                         (*KMS).decrypt,
	"ReEncrypt":                       (*KMS).reEncrypt,
	"DescribeKey":                     (*KMS).describeKey,
}

type dataKeyAnswer struct {
	CiphertextBlob []byte
	KeyId          string
	KeyMaterialId  string
	Plaintext      []byte `json:",omitempty"`
}

func (k *KMS) generateDataKey(call *Call, in *request) (any, *kmsError) {
	size, err := dataKeySize(in)
	if err != nil {
		return nil, err
	}
	use, err := k.use(call, in.KeyId, call.Operation)
	if err != nil {
		return nil, err
	}
	call.Key = use.arn
	if err := checkCommon(in, in.EncryptionContext); err != nil {
		return nil, err
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	answer := dataKeyAnswer{
		CiphertextBlob: makeBlob(use.id, use.current, plaintext, in.EncryptionContext),
		KeyId:          use.arn,
		KeyMaterialId:  hex.EncodeToString(use.current.id[:]),
	}
	if call.Operation == "GenerateDataKey" {
		answer.Plaintext = plaintext
	}
	return answer, nil
}

func dataKeySize(in *request) (int, *kmsError) {
	switch {
	case in.KeySpec != "" && in.NumberOfBytes != nil, in.KeySpec == "" && in.NumberOfBytes == nil:
		return 0, kmsErrorf("ValidationException", "Please specify either number of bytes or key spec.")
	case in.KeySpec == "AES_256":
		return 32, nil
	case in.KeySpec == "AES_128":
		return 16, nil
	case in.KeySpec != "":
		return 0, kmsErrorf("ValidationException", "1 validation error detected: Value '%s' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]", in.KeySpec)
	case *in.NumberOfBytes < 1 || *in.NumberOfBytes > maxDataKey:
		return 0, kmsErrorf("ValidationException", "1 validation error detected: Value '%d' at 'numberOfBytes' failed to satisfy constraint: Member must be between 1 and %d", *in.NumberOfBytes, maxDataKey)
	}
	return *in.NumberOfBytes, nil
}

func (k *KMS) encrypt(call *Call, in *request) (any, *kmsError) {
	switch n := len(in.Plaintext); {
	case n == 0:
		return nil, kmsErrorf("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case n > maxPlaintext:
		return nil, kmsErrorf("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to %d", maxPlaintext)
	}
	use, err := k.use(call, in.KeyId, "Encrypt")
	if err != nil {
		return nil, err
	}
	call.Key = use.arn
	if err := checkCommon(in, in.EncryptionContext); err != nil {
		return nil, err
	}
	return struct {
		CiphertextBlob             []byte
		EncryptionAlgorithm, KeyId string
	}{makeBlob(use.id, use.current, in.Plaintext, in.EncryptionContext), symmetric, use.arn}, nil
}

func (k *KMS) decrypt(call *Call, in *request) (any, *kmsError) {
	use, plaintext, err := k.open(call, "Decrypt", in.KeyId, in.CiphertextBlob, in.EncryptionContext)
	if use != nil {
		call.Key = use.arn
	}
	if err == nil {
		err = checkCommon(in, in.EncryptionContext)
	}
	if err != nil {
		return nil, err
	}
	parsed, _ := parseBlob(in.CiphertextBlob)
	return struct {
		EncryptionAlgorithm, KeyId, KeyMaterialId string
		Plaintext                                 []byte
	}{symmetric, use.arn, hex.EncodeToString(parsed.materialID[:]), plaintext}, nil
}

func (k *KMS) reEncrypt(call *Call, in *request) (any, *kmsError) {
	source, plaintext, err := k.open(call, "ReEncryptFrom", in.SourceKeyId, in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	target, err := k.use(call, in.DestinationKeyId, "ReEncryptTo")
	if err != nil {
		return nil, err
	}
	call.Key = target.arn
	if err := checkCommon(in, in.SourceEncryptionContext, in.DestinationEncryptionContext); err != nil {
		return nil, err
	}
	return struct {
		CiphertextBlob                                            []byte
		KeyId, SourceKeyId                                        string
		SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm string
	}{makeBlob(target.id, target.current, plaintext, in.DestinationEncryptionContext), target.arn, source.arn, symmetric, symmetric}, nil
}

// open finds the key that wrapped the blob, checks it against the one asked
// for, if any, and unwraps. The key is returned with an error too when it is
// known.
func (k *KMS) open(call *Call, permission, keyID string, blob []byte, context map[string]string) (*usableKey, []byte, *kmsError) {
	if n := len(blob); n == 0 || n > maxCiphertext {
		return nil, nil, kmsErrorf("ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length between 1 and %d", maxCiphertext)
	}
	parsed, ok := parseBlob(blob)
	if keyID == "" {
		if !ok {
			return nil, nil, kmsErrorf("InvalidCiphertextException", "")
		}
		arn := k.keys.local(call.Region, parsed.keyID)
		if arn == "" {
			return nil, nil, kmsErrorf("AccessDeniedException", noSuchCiphertext)
		}
		keyID = arn
	}
	use, err := k.use(call, keyID, permission)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return use, nil, kmsErrorf("InvalidCiphertextException", "")
	}
	if parsed.keyID != use.id {
		return use, nil, kmsErrorf("IncorrectKeyException", wrongKeyForCipher)
	}
	plaintext, ok := parsed.open(use.generations, context)
	if !ok {
		return use, nil, kmsErrorf("InvalidCiphertextException", "")
	}
	return use, plaintext, nil
}

// checkCommon checks what all cryptographic operations have.
func checkCommon(in *request, contexts ...map[string]string) *kmsError {
	if len(in.GrantTokens) > maxGrantTokens {
		return kmsErrorf("ValidationException", "1 validation error detected: Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to %d", maxGrantTokens)
	}
	for _, algorithm := range []string{in.EncryptionAlgorithm, in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm} {
		if algorithm != "" && algorithm != symmetric {
			return kmsErrorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, symmetric)
		}
	}
	for _, context := range contexts {
		size := 0
		for key, value := range context {
			size += len(key) + len(value)
			if strings.HasPrefix(key, "aws:") {
				return kmsErrorf("ValidationException", "The encryption context key %s begins with the reserved prefix aws:", key)
			}
		}
		if size > maxContext {
			return kmsErrorf("ValidationException", "The encryption context is %d bytes long; it cannot exceed %d", size, maxContext)
		}
	}
	if in.DryRun {
		return kmsErrorf("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}
