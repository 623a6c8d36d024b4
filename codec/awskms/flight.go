package awskms

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
)

// flightKey identifies a wrapped key: a digest of the wrapping key, the blob,
// the context and the grants.
type flightKey [sha256.Size]byte

// flight is a Decrypt under way, for all who wait for it.
type flight struct {
	cancel  context.CancelFunc
	done    chan struct{}
	waiters int
	// Set before done is closed. The last waiter zeroes the plaintext.
	plaintext codec.DataKey
	err       error
}

func keyOf(key ARN, blob []byte, ec codec.Context, grants []string) (flightKey, error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 512), uint32(len(blob)))
	b = append(append(b, blob...), key.String()...)
	b = append(b, 0)
	for _, g := range grants {
		b = append(append(b, g...), 0)
	}
	b = append(b, 0)
	b, err := codec.AppendContext(b, ec)
	return sha256.Sum256(b), err
}

// unwrap unwraps a blob under a key. Callers that ask for the same at the same
// time share one call; each keeps its own deadline, and the call ends when none
// is left.
func (s *Shield) unwrap(ctx context.Context, key ARN, blob []byte, ec codec.Context, grants []string, alternative bool) (codec.DataKey, error) {
	if ctx.Err() != nil {
		return codec.DataKey{}, gaveUp(ctx, "Decrypt", key)
	}
	id, err := keyOf(key, blob, ec, grants)
	if err != nil {
		return codec.DataKey{}, err
	}
	s.mu.Lock()
	f := s.flights[id]
	if f == nil {
		f = s.depart(ctx, id, key, blob, ec, grants, alternative)
	} else {
		s.shared.Add(1)
	}
	f.waiters++
	s.mu.Unlock()
	select {
	case <-f.done:
		return s.arrive(f)
	case <-ctx.Done():
		s.abandon(id, f)
		return codec.DataKey{}, gaveUp(ctx, "Decrypt", key)
	}
}

func (s *Shield) depart(ctx context.Context, id flightKey, key ARN, blob []byte, ec codec.Context, grants []string, alternative bool) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{cancel: cancel, done: make(chan struct{})}
	s.flights[id] = f
	go func() {
		defer cancel()
		out, err := s.decrypt(ctx, key, blob, ec, grants, alternative)
		plaintext := codec.NewDataKey(out)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.flights[id] == f {
			delete(s.flights, id)
		}
		if f.waiters == 0 {
			plaintext.Zero()
		}
		f.plaintext, f.err = plaintext, err
		close(f.done)
	}()
	return f
}

// arrive takes a waiter's own copy of the key.
func (s *Shield) arrive(f *flight) (codec.DataKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.waiters--
	if f.err != nil {
		return codec.DataKey{}, f.err
	}
	if f.waiters == 0 {
		return f.plaintext, nil
	}
	return f.plaintext.Clone(), nil
}

// abandon leaves a flight; the last to leave ends it, and who asks again starts
// another.
func (s *Shield) abandon(id flightKey, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.plaintext.Zero()
	f.cancel()
	if s.flights[id] == f {
		delete(s.flights, id)
	}
}

func (s *Shield) decrypt(ctx context.Context, key ARN, blob []byte, ec codec.Context, grants []string, alternative bool) ([]byte, error) {
	ask := func(ctx context.Context, c Client) (*kms.DecryptOutput, error) {
		return c.Decrypt(ctx, &kms.DecryptInput{KeyId: aws.String(key.String()), CiphertextBlob: blob, EncryptionContext: ec, GrantTokens: grants})
	}
	out, err := send(ctx, s, request[*kms.DecryptOutput]{key: key, operation: "Decrypt", alternative: alternative, slow: s.config.SlowRead,
		run: ask, discard: func(o *kms.DecryptOutput) { clear(o.Plaintext) }})
	if err != nil {
		return nil, err
	}
	if !names(key, out.KeyId) || len(out.Plaintext) == 0 { // KMS wraps no empty text
		clear(out.Plaintext)
		return nil, failed(codec.ErrKeyUnavailable, "Decrypt", key, "the answer is not one of the key asked for", nil)
	}
	return out.Plaintext, nil
}

// names reports whether KMS answered with the key that was asked for.
func names(key ARN, answer *string) bool { return answer != nil && *answer == key.String() }

// wraps reports whether a ciphertext that KMS answered with can be one, which
// KMS takes back.
func wraps(blob []byte) bool { return len(blob) > 0 && len(blob) <= maxBlob }
