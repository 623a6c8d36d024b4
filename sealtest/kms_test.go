package sealtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealsql/sealsql/sealtest"
)

const (
	virginia = "us-east-1"
	ireland  = "eu-west-1"
	tokyo    = "ap-northeast-1"
)

func newKMS(t testing.TB, opts ...sealtest.Option) *sealtest.KMS {
	k := sealtest.NewKMS(opts...)
	t.Cleanup(k.Close)
	return k
}

// once makes a client that does not retry, so that a test sees each answer.
func once(o *kms.Options) { o.RetryMaxAttempts = 1 }

func dataKey(t testing.TB, client *kms.Client, arn string, context map[string]string) *kms.GenerateDataKeyOutput {
	t.Helper()
	out, err := client.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{
		KeyId: &arn, NumberOfBytes: aws.Int32(32), EncryptionContext: context,
	})
	if err != nil {
		t.Fatalf("GenerateDataKey: %v", err)
	}
	return out
}

// wantCode checks the error code and the HTTP status of an SDK's error.
func wantCode(t testing.TB, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("got error %v, want the code %s", err, code)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Fatalf("got error %v, want the status %d", err, status)
	}
	if response.ServiceRequestID() == "" {
		t.Errorf("the error %v has no request id", err)
	}
}

func TestADataKeyIs32BytesInA184ByteBlobThatDecryptOpens(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	client := k.Client(virginia)
	ec := map[string]string{"account_number": "7", "é": "ü"}
	out := dataKey(t, client, arn, ec)
	if len(out.Plaintext) != 32 || len(out.CiphertextBlob) != 184 || *out.KeyId != arn {
		t.Fatalf("got %d bytes in a blob of %d under %s", len(out.Plaintext), len(out.CiphertextBlob), *out.KeyId)
	}
	if !bytes.Contains(out.CiphertextBlob, []byte(arn[strings.LastIndex(arn, "/")+1:])) {
		t.Error("the blob does not hold the key id")
	}
	if out.KeyMaterialId == nil || len(*out.KeyMaterialId) != 64 {
		t.Errorf("got the key material id %v, want 64 hex digits", out.KeyMaterialId)
	}
	for name, id := range map[string]*string{"with the ARN": &arn, "without a key id": nil} {
		got, err := client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, KeyId: id, EncryptionContext: maps.Clone(ec)})
		if err != nil {
			t.Fatalf("Decrypt %s: %v", name, err)
		}
		if !bytes.Equal(got.Plaintext, out.Plaintext) || *got.KeyId != arn || got.EncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
			t.Errorf("Decrypt %s: got another key, id or algorithm", name)
		}
	}
}

func TestEveryOtherOperationRoundTripsThroughTheSDK(t *testing.T) {
	k := newKMS(t)
	arn, second := k.CreateKey(virginia), k.CreateKey(virginia)
	client := k.Client(virginia)
	ctx := t.Context()
	from, to := map[string]string{"a": "1"}, map[string]string{"b": "2"}

	without, err := client.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{
		KeyId: &arn, KeySpec: types.DataKeySpecAes256, EncryptionContext: from,
	})
	if err != nil || len(without.CiphertextBlob) != 184 || *without.KeyId != arn {
		t.Fatalf("GenerateDataKeyWithoutPlaintext: %v", err)
	}
	moved, err := client.ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob: without.CiphertextBlob, SourceEncryptionContext: from,
		DestinationKeyId: &second, DestinationEncryptionContext: to,
	})
	if err != nil || *moved.SourceKeyId != arn || *moved.KeyId != second {
		t.Fatalf("ReEncrypt: %v", err)
	}
	open := func(blob []byte, ec map[string]string) []byte {
		t.Helper()
		out, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: ec})
		if err != nil {
			t.Fatalf("Decrypt: %v", err)
		}
		return out.Plaintext
	}
	if !bytes.Equal(open(without.CiphertextBlob, from), open(moved.CiphertextBlob, to)) {
		t.Error("ReEncrypt changed the plaintext")
	}
	sealed, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("data key"), EncryptionContext: from, GrantTokens: []string{"token"}})
	if err != nil || string(open(sealed.CiphertextBlob, from)) != "data key" || *sealed.KeyId != arn {
		t.Fatalf("Encrypt: %v", err)
	}
	for op, want := range map[string]int{
		"GenerateDataKeyWithoutPlaintext": 1, "ReEncrypt": 1, "Encrypt": 1, "Decrypt": 3, "GenerateDataKey": 0,
	} {
		if got := k.Count(sealtest.CallKind{Region: virginia, Operation: op, Outcome: sealtest.OK}); got != want {
			t.Errorf("counted %d calls of %s, want %d", got, op, want)
		}
	}
	if got := k.Count(sealtest.CallKind{Key: second}); got != 2 {
		t.Errorf("counted %d calls with the second key, want ReEncrypt and Decrypt", got)
	}
	if calls := k.Calls(); len(calls) != 6 || !slices.Equal(calls[4].GrantTokens, []string{"token"}) {
		t.Errorf("got the calls %v, want 6 and the grant token in the fifth", calls)
	}
	if contexts := k.Contexts(); len(contexts) != 7 || !maps.Equal(contexts[1], from) || !maps.Equal(contexts[2], to) {
		t.Errorf("got the contexts %v", contexts)
	}
	k.ResetCalls()
	if len(k.Calls()) != 0 || len(k.Counts()) != 0 || k.PeakInFlight(virginia) != 0 {
		t.Error("ResetCalls left something")
	}
}

func TestDescribeKeyTellsStateAndReplicas(t *testing.T) {
	k := newKMS(t, sealtest.WithAccount("444455556666"))
	arns := k.CreateMultiRegionKey(virginia, ireland)
	k.ScheduleKeyDeletion(arns[1])
	out, err := k.Client(ireland).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arns[1]})
	if err != nil {
		t.Fatal(err)
	}
	m := out.KeyMetadata
	if *m.Arn != arns[1] || *m.AWSAccountId != "444455556666" || !*m.MultiRegion || m.Enabled ||
		m.KeyState != types.KeyStatePendingDeletion || m.DeletionDate == nil || m.CreationDate == nil ||
		m.KeyUsage != types.KeyUsageTypeEncryptDecrypt || m.KeySpec != types.KeySpecSymmetricDefault {
		t.Errorf("got the metadata %+v", m)
	}
	c := m.MultiRegionConfiguration
	if c == nil || c.MultiRegionKeyType != types.MultiRegionKeyTypeReplica || *c.PrimaryKey.Arn != arns[0] ||
		len(c.ReplicaKeys) != 1 || *c.ReplicaKeys[0].Region != ireland {
		t.Errorf("got the replication %+v", c)
	}
	single := k.CreateKey(virginia)
	out, err = k.Client(virginia).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &single})
	if err != nil || out.KeyMetadata.MultiRegionConfiguration != nil || *out.KeyMetadata.MultiRegion || !out.KeyMetadata.Enabled {
		t.Errorf("got %v, %v for a key of one Region", out, err)
	}
}

func TestARNsHaveTheRealForm(t *testing.T) {
	k := newKMS(t)
	uuid := regexp.MustCompile(`^arn:aws:kms:us-east-1:111122223333:key/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if arn := k.CreateKey(virginia); !uuid.MatchString(arn) {
		t.Errorf("got %s", arn)
	}
	mrk := regexp.MustCompile(`^arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-[0-9a-f]{32}$`)
	if arns := k.CreateMultiRegionKey("cn-north-1"); !mrk.MatchString(arns[0]) {
		t.Errorf("got %s", arns[0])
	}
}

func TestReplicasOpenWhatAnyOfThemWrapped(t *testing.T) {
	k := newKMS(t)
	arns := k.CreateMultiRegionKey(virginia, ireland, tokyo)
	out := dataKey(t, k.Client(virginia), arns[0], nil)
	for i, region := range []string{virginia, ireland, tokyo} {
		for _, id := range []*string{nil, &arns[i]} {
			got, err := k.Client(region).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, KeyId: id})
			if err != nil || !bytes.Equal(got.Plaintext, out.Plaintext) || *got.KeyId != arns[i] {
				t.Errorf("%s: got %v, %v, want the data key under the replica's ARN", region, got, err)
			}
		}
	}
	_, err := k.Client("eu-north-1", once).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
	wantCode(t, err, "AccessDeniedException", 400)
}

func TestErrorsAreThoseOfTheRealService(t *testing.T) {
	k := newKMS(t)
	arn, other, elsewhere := k.CreateKey(virginia), k.CreateKey(virginia), k.CreateKey(ireland)
	disabled, pending, denied, noDecrypt, deleted := k.CreateKey(virginia), k.CreateKey(virginia), k.CreateKey(virginia), k.CreateKey(virginia), k.CreateKey(virginia)
	ec := map[string]string{"row": "7"}
	client := k.Client(virginia, once)
	blob := dataKey(t, client, arn, ec).CiphertextBlob
	blobOf := map[string][]byte{}
	for _, key := range []string{disabled, pending, denied, noDecrypt, deleted} {
		blobOf[key] = dataKey(t, client, key, ec).CiphertextBlob
	}
	k.DisableKey(disabled)
	k.ScheduleKeyDeletion(pending)
	k.Deny(denied)
	k.Deny(noDecrypt, "Decrypt")
	k.DeleteKey(deleted)
	flipped := bytes.Clone(blob)
	flipped[len(flipped)-1] ^= 1
	head := bytes.Clone(blob)
	head[100] ^= 1

	ctx := t.Context()
	decrypt := func(id string, blob []byte, ec map[string]string) func() error {
		return func() error {
			in := &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: ec}
			if id != "" {
				in.KeyId = &id
			}
			_, err := client.Decrypt(ctx, in)
			return err
		}
	}
	encrypt := func(in kms.EncryptInput) func() error {
		return func() error { _, err := client.Encrypt(ctx, &in); return err }
	}
	generate := func(in kms.GenerateDataKeyInput) func() error {
		return func() error { _, err := client.GenerateDataKey(ctx, &in); return err }
	}
	one := []byte("x")
	cases := []struct {
		name string
		call func() error
		code string
	}{
		{"another context", decrypt(arn, blob, map[string]string{"row": "8"}), "InvalidCiphertextException"},
		{"a missing context", decrypt(arn, blob, nil), "InvalidCiphertextException"},
		{"one pair more", decrypt(arn, blob, map[string]string{"row": "7", "x": "y"}), "InvalidCiphertextException"},
		{"a flipped bit at the end", decrypt(arn, flipped, ec), "InvalidCiphertextException"},
		{"a flipped bit in the head", decrypt(arn, head, ec), "InvalidCiphertextException"},
		{"a truncated blob", decrypt(arn, blob[:151], ec), "InvalidCiphertextException"},
		{"a blob of no key", decrypt("", []byte("nonsense"), ec), "InvalidCiphertextException"},
		{"an empty blob", decrypt(arn, []byte{}, ec), "ValidationException"},
		{"another key's blob", decrypt(other, blob, ec), "IncorrectKeyException"},
		{"an ARN of another Region", decrypt(elsewhere, blob, ec), "NotFoundException"},
		{"no such key", decrypt("arn:aws:kms:us-east-1:111122223333:key/0", blob, ec), "NotFoundException"},
		{"no such key id", decrypt("0", blob, ec), "NotFoundException"},
		{"no such alias", decrypt("alias/none", blob, ec), "NotFoundException"},
		{"a deleted key", decrypt(deleted, blobOf[deleted], ec), "NotFoundException"},
		{"a deleted key without its id", decrypt("", blobOf[deleted], ec), "AccessDeniedException"},
		{"a disabled key", decrypt(disabled, blobOf[disabled], ec), "DisabledException"},
		{"a disabled key without its id", decrypt("", blobOf[disabled], ec), "DisabledException"},
		{"a key pending deletion", decrypt(pending, blobOf[pending], ec), "KMSInvalidStateException"},
		{"a denied key", decrypt(denied, blobOf[denied], ec), "AccessDeniedException"},
		{"a denied operation", decrypt(noDecrypt, blobOf[noDecrypt], ec), "AccessDeniedException"},
		{"a disabled key makes no data key", generate(kms.GenerateDataKeyInput{KeyId: &disabled, NumberOfBytes: aws.Int32(32)}), "DisabledException"},
		{"a data key of no size", generate(kms.GenerateDataKeyInput{KeyId: &arn}), "ValidationException"},
		{"a data key of two sizes", generate(kms.GenerateDataKeyInput{KeyId: &arn, KeySpec: types.DataKeySpecAes128, NumberOfBytes: aws.Int32(16)}), "ValidationException"},
		{"a data key of 1025 bytes", generate(kms.GenerateDataKeyInput{KeyId: &arn, NumberOfBytes: aws.Int32(1025)}), "ValidationException"},
		{"a plaintext of 4097 bytes", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: make([]byte, 4097)}), "ValidationException"},
		{"an empty plaintext", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: []byte{}}), "ValidationException"},
		{"a context above 8192 bytes", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: one, EncryptionContext: map[string]string{"k": strings.Repeat("v", 8192)}}), "ValidationException"},
		{"eleven grant tokens", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: one, GrantTokens: slices.Repeat([]string{"t"}, 11)}), "ValidationException"},
		{"an asymmetric algorithm", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: one, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256}), "InvalidKeyUsageException"},
		{"a dry run", encrypt(kms.EncryptInput{KeyId: &arn, Plaintext: one, DryRun: aws.Bool(true)}), "DryRunOperationException"},
		{"an operation it does not have", func() error {
			_, err := client.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(8)})
			return err
		}, "UnknownOperationException"},
	}
	ran := 0
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { wantCode(t, c.call(), c.code, 400); ran++ })
	}
	if ran != 31 {
		t.Errorf("%d cases ran, want 31", ran)
	}
	k.EnableKey(disabled)
	k.EnableKey(pending)
	k.Allow(denied)
	k.Allow(noDecrypt)
	for _, key := range []string{disabled, pending, denied, noDecrypt} {
		if err := decrypt(key, blobOf[key], ec)(); err != nil {
			t.Errorf("after the key was made usable: %v", err)
		}
	}
}

func TestTheSDKSeesTypedErrors(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	k.DisableKey(arn)
	_, err := k.Client(virginia).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
	var disabled *types.DisabledException
	if !errors.As(err, &disabled) || !strings.Contains(disabled.ErrorMessage(), arn) {
		t.Errorf("got %v, want a DisabledException that names the key", err)
	}
	if n := k.Count(sealtest.CallKind{Outcome: "DisabledException", Key: arn}); n != 1 {
		t.Errorf("counted %d calls, want 1: the error is not retryable", n)
	}
}

func TestAliasesWrapAndOpen(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	alias := k.CreateAlias("alias/pii", arn)
	for _, id := range []string{"alias/pii", alias, arn, arn[strings.LastIndex(arn, "/")+1:]} {
		if out := dataKey(t, k.Client(virginia), id, nil); *out.KeyId != arn {
			t.Errorf("by %s the answer names %s, want the key's ARN", id, *out.KeyId)
		}
	}
	if n := k.Count(sealtest.CallKind{Key: arn}); n != 4 {
		t.Errorf("counted %d calls under the key's ARN, want 4", n)
	}
}

func TestRotationKeepsWhatWasWrapped(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	before := dataKey(t, k.Client(virginia), arn, nil)
	k.RotateKey(arn)
	after := dataKey(t, k.Client(virginia), arn, nil)
	if *before.KeyMaterialId == *after.KeyMaterialId {
		t.Error("the material did not change")
	}
	for _, out := range []*kms.GenerateDataKeyOutput{before, after} {
		got, err := k.Client(virginia).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
		if err != nil || !bytes.Equal(got.Plaintext, out.Plaintext) || *got.KeyMaterialId != *out.KeyMaterialId {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestTheSameSeedOpensWhatAnotherProcessWrapped(t *testing.T) {
	arn := "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	first, second := newKMS(t, sealtest.WithSeed("s")), newKMS(t, sealtest.WithSeed("s"))
	for _, k := range []*sealtest.KMS{first, second} {
		if err := k.AddKey(arn); err != nil {
			t.Fatal(err)
		}
	}
	if first.CreateKey(virginia) != second.CreateKey(virginia) {
		t.Error("the same seed made other ids")
	}
	out := dataKey(t, first.Client(virginia), arn, nil)
	got, err := second.Client(virginia).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
	if err != nil || !bytes.Equal(got.Plaintext, out.Plaintext) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAddKeyRefusesWhatIsNotAKeyOrIsTaken(t *testing.T) {
	k := newKMS(t)
	taken := k.CreateKey(virginia)
	for _, arn := range []string{
		"", "alias/x", "arn:aws:kms:us-east-1:111122223333:alias/x", "arn:aws:s3:us-east-1:111122223333:key/x",
		"arn:aws:kms::111122223333:key/x", "arn:aws:kms:us-east-1::key/x", "arn:aws:kms:us-east-1:111122223333:key/",
		taken, strings.Replace(taken, virginia, ireland, 1),
	} {
		if err := k.AddKey(arn); err == nil {
			t.Errorf("AddKey(%q) succeeded", arn)
		}
	}
}

func TestRequestsThatAreNotTheProtocolAreRefused(t *testing.T) {
	k := newKMS(t)
	const scope = "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=0"
	for name, c := range map[string]struct{ authorization, target, body, code string }{
		"no signature":       {"", "TrentService.Decrypt", "{}", "MissingAuthenticationTokenException"},
		"a scope cut short":  {"AWS4-HMAC-SHA256 Credential=AKID/x", "TrentService.Decrypt", "{}", "IncompleteSignatureException"},
		"another service":    {strings.Replace(scope, "/kms/", "/s3/", 1), "TrentService.Decrypt", "{}", "InvalidSignatureException"},
		"another target":     {scope, "DynamoDB.GetItem", "{}", "UnknownOperationException"},
		"a body of no JSON":  {scope, "TrentService.Decrypt", "{", "SerializationException"},
		"an empty operation": {scope, "TrentService.", "{}", "UnknownOperationException"},
	} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, k.URL(), strings.NewReader(c.body))
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", c.target)
		if c.authorization != "" {
			request.Header.Set("Authorization", c.authorization)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Type string `json:"__type"`
		}
		err = json.NewDecoder(response.Body).Decode(&body)
		response.Body.Close()
		if err != nil || body.Type != c.code || response.StatusCode != 400 {
			t.Errorf("%s: got %d %q, %v, want %s", name, response.StatusCode, body.Type, err, c.code)
		}
	}
}

func TestTheCallLogKeepsTheFirstAndCountsAll(t *testing.T) {
	k := newKMS(t, sealtest.WithCallLog(2))
	arn := k.CreateKey(virginia)
	for range 5 {
		dataKey(t, k.Client(virginia), arn, nil)
	}
	if len(k.Calls()) != 2 || k.Count(sealtest.CallKind{}) != 5 {
		t.Errorf("kept %d and counted %d calls, want 2 and 5", len(k.Calls()), k.Count(sealtest.CallKind{}))
	}
}

func BenchmarkDecrypt(b *testing.B) {
	k := newKMS(b)
	arn := k.CreateKey(virginia)
	client := k.Client(virginia)
	ec := map[string]string{"account_number": "1234567890", "sealsql:table": "accounts", "sealsql:column": "ssn"}
	blob := dataKey(b, client, arn, ec).CiphertextBlob
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.Decrypt(context.Background(), &kms.DecryptInput{CiphertextBlob: blob, KeyId: &arn, EncryptionContext: ec}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
