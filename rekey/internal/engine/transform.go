package engine

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/compact"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

type kind uint8

const (
	changed kind = iota + 1 // in transform: to be changed to value
	right
	skipped
	failed
)

// outcome is what became of a row.
type outcome struct {
	kind   kind
	reason string // of skipped and failed
	err    error  // of failed; it holds no value
	value  any    // of changed: what to write
	terms  []any  // and beside it
	opened bool   // KMS was asked, and answered
	calls  int    // of a dry run: the calls of KMS that the row will cost
}

func skip(reason string) outcome { return outcome{kind: skipped, reason: reason} }

func fail(reason string, err error) outcome {
	return outcome{kind: failed, reason: reason, err: err}
}

// Reasons of skipped rows.
const (
	reasonNull      = "NULL"
	reasonNothing   = "no protected value in the document"
	reasonPlaintext = "plaintext: run backfill"
	reasonBlob      = "a bare KMS ciphertext: run reencrypt"
	reasonOther     = "sealed otherwise than the policy says: run reencrypt"
	reasonGone      = "deleted meanwhile"
	reasonDamaged   = "damaged"
	reasonChanging  = "changed meanwhile"
	reasonNoTermYet = "sealed, without a term: run reindex"
	reasonTaken     = "the target column holds something that is no message"
)

// worker decides what becomes of rows. It is safe for concurrent use.
type worker struct {
	c       *Config
	t       *target
	sealer  *driver.ValueSealer
	old     []*driver.ValueSealer
	checker *driver.ValueSealer // opens new values through KMS; nil if sealer does
	sealed  atomic.Int64
	kms     *bucket
	sealing int // calls of KMS to seal a value
	opening int // and to open that again
	resumed map[string]bool

	activeMu sync.Mutex
	active   map[string]string // version by branch key
}

func newWorker(c *Config, sealer *driver.ValueSealer, opts []driver.Option) (*worker, error) {
	w := &worker{c: c, sealer: sealer, kms: newBucket(c.KMSPerSecond), active: map[string]string{}}
	if !c.CheckAll {
		var err error
		if w.checker, err = driver.NewSealer(c.DB, opts...); err != nil {
			return nil, err
		}
	}
	if c.OldPolicy != nil {
		old, err := driver.NewSealer(c.DB, append(append([]driver.Option{}, c.Options...), driver.WithPolicy(c.OldPolicy), driver.WithOlderSuites())...)
		if err != nil {
			return nil, fmt.Errorf("the old policy: %w", err)
		}
		w.old = append(w.old, old)
	}
	if len(c.OldKeys) > 0 {
		old, err := driver.NewSealer(c.DB, append(append([]driver.Option{}, c.Options...), driver.WithPolicy(c.Policy), driver.WithOlderSuites(), driver.WithReadKeys(c.OldKeys...))...)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.old = append(w.old, old)
	}
	return w, nil
}

func (w *worker) close() error {
	var err error
	if w.checker != nil {
		err = w.checker.Close()
	}
	for _, o := range w.old {
		err = errors.Join(err, o.Close())
	}
	return err
}

// warm makes every sealer read the catalog now, while the database answers.
func (w *worker) warm(ctx context.Context) error {
	all := append([]*driver.ValueSealer{w.sealer}, w.old...)
	if w.checker != nil {
		all = append(all, w.checker)
	}
	for _, s := range all {
		if _, err := s.Inspect(ctx, w.c.Table, w.c.Column, nil, nil); err != nil {
			return err
		}
		s.RowDigest(ctx, w.c.Table, nil) // asks for the types of the row key
	}
	return nil
}

// prices says what a value costs in calls of KMS.
func (w *worker) prices(t *target) {
	w.t = t
	ring, ok := w.c.Policy.Keyring(t.policy.Keyring)
	if ok && ring.KMS != nil && ring.DataKey.Per != "branch" {
		w.sealing, w.opening = len(ring.KMS.ARNs), 1
	}
}

// decide says what becomes of a row, and makes and checks the new value.
func (w *worker) decide(ctx context.Context, r *server.JobRow) outcome {
	bound, err := w.t.bound(r)
	if err != nil {
		return fail("unreadable row", err)
	}
	switch {
	case w.c.Mode == Reindex:
		return w.reindex(ctx, r, bound)
	case w.c.From != "":
		return w.move(ctx, r, bound)
	}
	if r.Stored == nil {
		return skip(reasonNull)
	}
	in, err := w.sealer.Inspect(ctx, w.t.table, w.t.column, bound, r.Stored)
	if err != nil {
		return w.classify(err)
	}
	switch {
	case in.Form == inspect.Null:
		return skip(reasonNothing)
	case in.Form == inspect.Damaged:
		return fail(reasonDamaged, fmt.Errorf("the value starts like a message and cannot be read as one"))
	case w.c.Mode == Verify:
		return w.verify(ctx, r, bound, in)
	case w.c.Mode == Backfill:
		return w.backfill(ctx, r, bound, in)
	case in.Form == inspect.Plaintext:
		return skip(reasonPlaintext)
	case w.c.Mode == Repair:
		return w.repair(ctx, r, bound, in)
	case in.Right() && (!w.c.Force && !w.stale(ctx, in) || w.resumed[digest(r.Stored)]):
		return outcome{kind: right}
	}
	return w.seal(ctx, bound, costs(in), func() ([]byte, error) { return w.read(ctx, bound, r.Stored, costs(in)) })
}

// costs is how many calls of KMS it takes to open a value.
func costs(in inspect.Value) int {
	if in.Form == inspect.KMSBlob || slices.ContainsFunc(in.Wrappings, func(w inspect.Wrapping) bool { return w.Provider == awskms.ProviderID }) {
		return 1
	}
	return 0
}

// stale reports whether a value is wrapped under an older version of its branch
// key than the active one, as that was when the job first met the branch key.
func (w *worker) stale(ctx context.Context, in inspect.Value) bool {
	if ring, _ := w.c.Policy.Keyring(w.t.policy.Keyring); ring.DataKey.Per != "branch" || len(in.Wrappings) != 1 {
		return false
	}
	id := in.Wrappings[0].Key
	w.activeMu.Lock()
	defer w.activeMu.Unlock()
	version, known := w.active[id]
	if !known {
		keys, err := w.sealer.BranchKeys(w.t.policy.Keyring)
		if err != nil {
			return false
		}
		info, err := keys.Get(ctx, id)
		if err != nil {
			return false // deleted, or the store cannot be read: the value is as it is
		}
		version = info.Version
		w.active[id] = version
	}
	if in.Form == inspect.Compact {
		return in.KeyID != w.compactID(id, version)
	}
	return version != in.Wrappings[0].Version
}

// compactID is the key id of the column's compact values under a version of a branch
// key, as an inspection shows it.
func (w *worker) compactID(branchKey, version string) string {
	var v [16]byte
	if n, err := hex.Decode(v[:], []byte(strings.ReplaceAll(version, "-", ""))); err != nil || n != len(v) {
		return ""
	}
	var at compact.Location
	if w.t.policy.BindLocation {
		at = compact.Location{Table: w.t.table, Column: w.t.column}
	}
	id := compact.IDOf(branchKey, v, at)
	return hex.EncodeToString(id[:])
}

func (w *worker) verify(ctx context.Context, r *server.JobRow, bound driver.Row, in inspect.Value) outcome {
	if in.Form == inspect.Plaintext && w.t.policy.PlaintextReads == policy.Allow {
		return skip("plaintext, which the policy allows")
	}
	if w.c.DryRun {
		return outcome{kind: right, calls: costs(in)}
	}
	plaintext, err := w.open(ctx, w.sealer, bound, r.Stored, costs(in))
	defer clear(plaintext)
	if err != nil {
		return w.classify(err)
	}
	if w.t.document != nil {
		return w.checkDocument(ctx, r, bound, costs(in))
	}
	if w.t.terms != nil {
		return w.checkTerm(ctx, r, bound, plaintext)
	}
	return outcome{kind: right, opened: true}
}

func (w *worker) backfill(ctx context.Context, r *server.JobRow, bound driver.Row, in inspect.Value) outcome {
	switch {
	case in.Form == inspect.KMSBlob:
		return skip(reasonBlob)
	case in.Form == inspect.Compact && w.t.policy.Type == policy.TypeBytes:
		return w.mayBePlaintext(ctx, r, bound, in)
	case in.Form.Sealed() && in.Right():
		return w.sealedAlready(r)
	case in.Form.Sealed():
		return skip(reasonOther)
	}
	if w.t.policy.Paths != nil {
		return w.seal(ctx, bound, costs(in), func() ([]byte, error) { return w.document(ctx, bound, r.Stored) })
	}
	return w.seal(ctx, bound, 0, func() ([]byte, error) { return w.encode(r.Stored) })
}

// document opens a document of which some values are sealed and others are not.
func (w *worker) document(ctx context.Context, bound driver.Row, stored []byte) ([]byte, error) {
	r, funnel, err := w.request(ctx, bound, stored)
	if err != nil {
		return nil, err
	}
	r.Mixed = true
	plaintext, _, err := funnel.Open(ctx, r)
	return plaintext, err
}

// mayBePlaintext decides on bytes that look like a compact value: they are one if a
// key of the column has their key id. Bytes in clear that begin as a compact value does
// are failed rows, since a value whose branch key the policy lacks looks the same.
func (w *worker) mayBePlaintext(ctx context.Context, r *server.JobRow, bound driver.Row, in inspect.Value) outcome {
	plaintext, err := w.open(ctx, w.sealer, bound, r.Stored, 0)
	clear(plaintext)
	switch {
	case err != nil:
		return w.classify(err)
	case in.Right():
		return w.sealedAlready(r)
	}
	return skip(reasonOther)
}

// move is a backfill from column to column.
func (w *worker) move(ctx context.Context, r *server.JobRow, bound driver.Row) outcome {
	if r.Stored != nil {
		in, err := w.sealer.Inspect(ctx, w.t.table, w.t.column, bound, r.Stored)
		switch {
		case err != nil:
			return w.classify(err)
		case !in.Form.Sealed():
			return fail(reasonTaken, errors.New(reasonTaken))
		case in.Right():
			return outcome{kind: right}
		}
		return skip(reasonOther)
	}
	if r.From == nil {
		return skip(reasonNull)
	}
	return w.seal(ctx, bound, 0, func() ([]byte, error) { return w.encode(r.From) })
}

func (w *worker) encode(stored []byte) ([]byte, error) {
	plaintext, _, err := w.sealer.EncodePlaintext(w.t.table, w.t.column, stored)
	return plaintext, err
}

func (w *worker) repair(ctx context.Context, r *server.JobRow, bound driver.Row, in inspect.Value) outcome {
	switch {
	case in.Form == inspect.KMSBlob:
		return skip(reasonBlob)
	case in.Right():
		return outcome{kind: right}
	case len(in.Missing) == 0 && len(in.Superfluous) == 0:
		return skip(reasonOther)
	}
	return w.seal(ctx, bound, costs(in), func() ([]byte, error) { return w.open(ctx, w.sealer, bound, r.Stored, costs(in)) })
}

// read opens a value of any origin: as the policy says, then as the old policy
// and the old keys do, and at last, if that was asked for, for whatever row it is.
func (w *worker) read(ctx context.Context, bound driver.Row, stored []byte, calls int) ([]byte, error) {
	all := append([]*driver.ValueSealer{w.sealer}, w.old...)
	var first error
	for _, s := range all {
		plaintext, err := w.open(ctx, s, bound, stored, calls)
		if err == nil {
			return plaintext, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		// What another reader may know better is no reason to stop.
		if first == nil || errors.Is(first, driver.ErrUnknownKey) && !errors.Is(err, driver.ErrUnknownKey) {
			first = err
		}
	}
	if !w.c.Rebind || !errors.Is(first, driver.ErrMismatch) {
		return nil, first
	}
	for _, s := range all {
		if err := w.kms.take(ctx, calls); err != nil {
			return nil, err
		}
		if plaintext, err := s.OpenAnywhere(ctx, w.t.table, w.t.column, stored); err == nil {
			return plaintext, nil
		}
	}
	return nil, first
}

// open opens a value strictly, with patience for a KMS that cannot be used.
func (w *worker) open(ctx context.Context, s *driver.ValueSealer, bound driver.Row, stored any, calls int) (plaintext []byte, err error) {
	err = retry(ctx, w.c.Patience, unavailable, func() error {
		if err := w.kms.take(ctx, calls); err != nil {
			return err
		}
		plaintext, err = s.OpenPlaintext(ctx, w.t.table, w.t.column, bound, stored)
		return err
	})
	return plaintext, err
}

// unavailable reports whether an error says that KMS, or the database's catalog,
// may answer later.
func unavailable(err error) bool {
	return errors.Is(err, driver.ErrKeyUnavailable) || errors.Is(err, driver.ErrCatalog)
}

// errIncomplete: a value was made without one of the policy's wrappings, which
// applications may do while a Region is down and this engine may not.
var errIncomplete = fmt.Errorf("%w: the new value lacks a wrapping that the policy names", driver.ErrKeyUnavailable)

// seal makes the new value from what read returns, and opens it again before it
// may be written.
func (w *worker) seal(ctx context.Context, bound driver.Row, reading int, read func() ([]byte, error)) outcome {
	if w.c.DryRun {
		checking := 0
		if w.checker == nil || (w.sealed.Add(1)-1)%everyNth == 0 {
			checking = w.opening
		}
		return outcome{kind: changed, calls: reading + w.sealing + checking}
	}
	plaintext, err := read()
	defer clear(plaintext)
	if err != nil {
		return w.classify(err)
	}
	var value any
	err = retry(ctx, w.c.Patience, unavailable, func() error {
		if err := w.kms.take(ctx, w.sealing); err != nil {
			return err
		}
		value, err = w.sealer.SealPlaintext(ctx, w.t.table, w.t.column, bound, plaintext)
		if err != nil {
			return err
		}
		in, err := w.sealer.Inspect(ctx, w.t.table, w.t.column, bound, value)
		if err == nil && !in.Right() {
			err = errIncomplete
		}
		return err
	})
	if err != nil {
		return w.classify(err)
	}
	if err := w.check(ctx, bound, value, plaintext); err != nil {
		return w.classify(err)
	}
	terms, err := w.allTerms(ctx, bound, plaintext)
	if err != nil {
		return w.classify(err)
	}
	return outcome{kind: changed, value: value, terms: terms, opened: true}
}

// everyNth new value is opened through KMS, too, beginning with the first.
const everyNth = 100

// check opens a new value and compares: with the data key that it was sealed
// with, which verifies all of the message but KMS's own wrapping, or through KMS.
func (w *worker) check(ctx context.Context, bound driver.Row, value any, plaintext []byte) error {
	by := []*driver.ValueSealer{w.sealer}
	if w.checker != nil && (w.sealed.Add(1)-1)%everyNth == 0 {
		by = append(by, w.checker)
	}
	for i, s := range by {
		calls := w.opening
		if i == 0 && w.checker != nil {
			calls = 0
		}
		again, err := w.open(ctx, s, bound, value, calls)
		same := subtle.ConstantTimeCompare(again, plaintext) == 1
		clear(again)
		if err != nil {
			return err
		}
		if !same {
			return errOpensOtherwise
		}
	}
	return nil
}

var errOpensOtherwise = errors.New("the new value does not open to the plaintext that was sealed; nothing was written")

var reasons = []struct {
	err    error
	reason string
}{
	{driver.ErrIndexMismatch, reasonOtherTerm}, {driver.ErrUnauthentic, reasonUnauthentic}, {driver.ErrMismatch, "mismatch"}, {driver.ErrTampered, "tampered"}, {driver.ErrNotCiphertext, "not_ciphertext"},
	{driver.ErrUnknownKey, "unknown_key"}, {driver.ErrKeyDenied, "key_denied"}, {driver.ErrKeyUnavailable, reasonUnavailable},
	{driver.ErrShredded, "shredded"}, {driver.ErrValue, "value"}, {codec.ErrCommitmentPolicy, "commitment"},
}

const (
	reasonUnavailable = "kms_unavailable"
	reasonUnauthentic = "unauthentic"
)

func (w *worker) classify(err error) outcome {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return fail(r.reason, err)
		}
	}
	return fail("error", err)
}
