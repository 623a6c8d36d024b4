package seal

import (
	"bytes"
	"context"
	"encoding/base64"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/inspect"
)

// plaintextForm is that of values that were never sealed. It finds everything.
type plaintextForm struct{}

func (f plaintextForm) find(l Layout, h held) (Found, bool) {
	found := Found{Kind: inspect.Plaintext, form: f, bytes: h.text, cause: h.err}
	if found.cause == nil {
		_, found.cause = codec.Parse(h.raw)
	}
	// The first bytes of a message of version 2 in base64, and no base64 behind them.
	if h.err != nil && !l.clear(base64.StdEncoding.DecodedLen(len(h.text))) && (bytes.HasPrefix(h.text, []byte("AgR4")) || bytes.HasPrefix(h.text, []byte("AgV4"))) {
		found.Kind = inspect.Damaged
	}
	return found, true
}

// open hands out a plaintext if the policy allows it for the column.
func (plaintextForm) open(_ context.Context, r Request, found Found) opened {
	rejected := opened{kind: alert.NotCiphertext, cause: found.cause}
	if !r.readsPlaintexts() {
		return rejected
	}
	plaintext, null, err := r.Column.inClear(r.Stored)
	if err != nil || null {
		return rejected
	}
	if !r.Mixed {
		r.Column.PlaintextReads.Add(1)
	}
	return opened{plaintext: plaintext, noted: alert.PlaintextRead, cause: found.cause}
}

func (plaintextForm) show(Found, *inspect.Value)   {}
func (plaintextForm) evidence(Found, *alert.Event) {}
