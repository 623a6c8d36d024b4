package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Tally counts values and the bytes they take up as stored.
type Tally struct {
	Values int64 `json:"values"`
	Bytes  int64 `json:"bytes"`
}

// KeyTally counts the values wrapped under a key. Sole counts the values that no
// other key opens.
type KeyTally struct {
	Tally
	Provider string `json:"provider"`
	Region   string `json:"region,omitempty"`
	Sole     int64  `json:"sole"`
	InPolicy bool   `json:"in_policy"`
}

// TermTally counts the terms that one column of terms holds. They are not compared with
// their values.
type TermTally struct {
	// Column holds the terms; of a document it is the path of the member that does, and Path
	// that of the values. BranchKey is their key; it is empty for the keyring's own.
	Column    string `json:"column"`
	Path      string `json:"path,omitempty"`
	BranchKey string `json:"branch_key,omitempty"`
	// Filled counts rows with a term, Missing those with a value and no term, Stray
	// those with a term and no value.
	Filled  int64 `json:"filled"`
	Missing int64 `json:"missing"`
	Stray   int64 `json:"stray,omitempty"`
}

// Survey is what a column holds, without a single value opened.
type Survey struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Tally
	Forms   map[string]Tally     `json:"forms"`
	Suites  map[string]Tally     `json:"suites,omitempty"`
	Regions map[string]Tally     `json:"regions,omitempty"`
	Keys    map[string]*KeyTally `json:"keys,omitempty"`
	// Missing counts values that lack a wrapping which the policy names, by its
	// key; Superfluous values with a key that it does not name.
	Missing     map[string]int64 `json:"missing,omitempty"`
	Superfluous map[string]int64 `json:"superfluous,omitempty"`
	// Right counts NULLs and the values that are as the policy writes them;
	// OtherContext and OtherSuite count values with another context or suite.
	Right        int64 `json:"right"`
	OtherContext int64 `json:"other_context,omitempty"`
	OtherSuite   int64 `json:"other_suite,omitempty"`
	// OtherFormat counts messages where the policy writes compact values, or the
	// reverse.
	OtherFormat int64 `json:"other_format,omitempty"`
	// Terms counts the equality terms of a searchable column under each of its keys, in
	// the policy's order: statements ask for the first.
	Terms []TermTally `json:"terms,omitempty"`

	policyKeys []string // the wrapping keys that the policy names
}

// Take surveys a column: of Config, DB, Policy, Options, Table, Column, the
// shard and the page's size count. Nothing is written and KMS is not called.
func Take(ctx context.Context, c Config) (*Survey, error) {
	c.Mode, c.From, c.OldPolicy, c.OldKeys, c.Rebind, c.Force = Verify, "", nil, nil, false, false
	if err := c.complete(); err != nil {
		return nil, err
	}
	sealer, err := driver.NewSealer(c.DB, append(append([]driver.Option{}, c.Options...), driver.WithPolicy(c.Policy))...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sealer.Close() }() // it closes no connection
	t, err := newTarget(ctx, &c, sealer)
	if err != nil {
		return nil, err
	}
	s := &Survey{Table: c.Table, Column: c.Column, Forms: map[string]Tally{}, Suites: map[string]Tally{}, Regions: map[string]Tally{},
		Keys: map[string]*KeyTally{}, Missing: map[string]int64{}, Superfluous: map[string]int64{}, policyKeys: policyKeys(c.Policy, t.policy.Keyring)}
	if t.document != nil {
		s.Terms = pathTerms(t.document)
	}
	j := &job{c: c, t: t, rows: newBucket(c.RowsPerSecond)}
	for after := []string(nil); ; {
		p := &page{}
		if err := j.readPage(ctx, p, after); err != nil {
			return s, err
		}
		for _, r := range p.rows {
			if err := s.add(ctx, sealer, t, r); err != nil {
				return s, err
			}
			if t.document != nil {
				s.countDocument(t, r)
			}
		}
		if len(p.rows) < c.PageRows {
			return s, s.countTerms(ctx, c.DB, t)
		}
		after = p.rows[len(p.rows)-1].Key
	}
}

// countTerms asks the server for the numbers of terms.
func (s *Survey) countTerms(ctx context.Context, db *sql.DB, t *target) error {
	if t.policy.Equality == nil {
		return nil
	}
	for _, k := range t.policy.Equality.Keys {
		term := t.jobs.Quote(k.Column)
		text := fmt.Sprintf("SELECT count(%[1]s), count(CASE WHEN %[2]s IS NOT NULL AND %[1]s IS NULL THEN 1 END), count(CASE WHEN %[2]s IS NULL AND %[1]s IS NOT NULL THEN 1 END) FROM %[3]s AS t",
			term, t.Value, t.Relation)
		if where := t.inShard(); where != "" {
			text += " WHERE " + where
		}
		n := TermTally{Column: k.Column, BranchKey: k.BranchKey}
		if err := db.QueryRowContext(ctx, text).Scan(&n.Filled, &n.Missing, &n.Stray); err != nil {
			return fmt.Errorf("rekey: the terms of %s.%s cannot be counted: %w", t.table, t.column, err)
		}
		s.Terms = append(s.Terms, n)
	}
	return nil
}

func (s *Survey) add(ctx context.Context, v *driver.ValueSealer, t *target, r *server.JobRow) error {
	bound, err := t.bound(r)
	if err != nil {
		return err
	}
	in, err := v.Inspect(ctx, t.table, t.column, bound, stored(r))
	if errors.Is(err, driver.ErrValue) { // a source is NULL: nothing can be written for the row
		in, err = v.Inspect(ctx, t.table, t.column, nil, stored(r))
		in.OtherContext = true
	}
	if err != nil {
		return err
	}
	count := func(m map[string]Tally, k string) {
		t := m[k]
		m[k] = Tally{t.Values + 1, t.Bytes + int64(in.Bytes)}
	}
	s.Values++
	s.Bytes += int64(in.Bytes)
	count(s.Forms, in.Form.String())
	if in.Right() {
		s.Right++
	}
	if in.OtherFormat {
		s.OtherFormat++
	}
	if !in.Form.Sealed() {
		return nil
	}
	if in.Form == inspect.Message {
		count(s.Suites, in.Suite.String())
	}
	s.keys(in, count)
	for _, k := range in.Missing {
		s.Missing[k]++
	}
	for _, k := range in.Superfluous {
		s.Superfluous[k]++
	}
	if in.OtherContext {
		s.OtherContext++
	}
	if in.OtherSuite {
		s.OtherSuite++
	}
	return nil
}

func (s *Survey) keys(in inspect.Value, count func(map[string]Tally, string)) {
	var regions []string
	for _, w := range in.Wrappings {
		k := s.Keys[w.Key]
		if k == nil {
			k = &KeyTally{Provider: w.Provider, Region: w.Region, InPolicy: slices.ContainsFunc(s.policyKeys, func(p string) bool { return sameKMSKey(p, w.Key) })}
			s.Keys[w.Key] = k
		}
		k.Values++
		k.Bytes += int64(in.Bytes)
		if len(in.Wrappings) == 1 {
			k.Sole++
		}
		if w.Region != "" && !slices.Contains(regions, w.Region) {
			regions = append(regions, w.Region)
			count(s.Regions, w.Region)
		}
	}
}

// stored is an untyped nil for NULL.
func stored(r *server.JobRow) any {
	if r.Stored == nil {
		return nil
	}
	return r.Stored
}

func policyKeys(p *policy.Policy, keyring string) []string {
	k, _ := p.Keyring(keyring)
	switch {
	case k.DataKey.Per == "branch":
		return []string{k.DataKey.BranchKey}
	case k.KMS != nil:
		return k.KMS.ARNs
	case k.RawAES != nil:
		return []string{k.RawAES.Name}
	}
	return nil
}

// sameKMSKey compares names of keys; replicas of a multi-Region key are one.
func sameKMSKey(a, b string) bool {
	x, err := awskms.ParseARN(a)
	y, bad := awskms.ParseARN(b)
	if err != nil || bad != nil {
		return a == b
	}
	return x.Matches(y)
}

// MayDisable answers whether the column's values need the key. Why says what
// speaks against it, or what should be known all the same.
func (s *Survey) MayDisable(key string) (ok bool, why []string) {
	ok = true
	no := func(format string, args ...any) { ok, why = false, append(why, fmt.Sprintf(format, args...)) }
	column := s.Table + "." + s.Column
	if slices.ContainsFunc(s.policyKeys, func(p string) bool { return sameKMSKey(p, key) }) {
		no("%s: the policy still writes values under it; take it out of the keyring first", column)
	}
	var values, sole int64
	for name, k := range s.Keys {
		if sameKMSKey(name, key) {
			values, sole = values+k.Values, sole+k.Sole
		}
	}
	switch {
	case sole > 0:
		no("%s: %d values open under no other key; run sealsql reencrypt", column, sole)
	case values > 0:
		why = append(why, fmt.Sprintf("%s: %d values carry it beside another key; sealsql repair takes it off", column, values))
	}
	if n := s.Forms[inspect.KMSBlob.String()].Values; n > 0 {
		no("%s: %d values are bare KMS ciphertexts, which do not show their key; run sealsql reencrypt", column, n)
	}
	if n := s.Forms[inspect.Damaged.String()].Values; n > 0 {
		no("%s: %d values are damaged and do not show their key; look at them with sealsql verify", column, n)
	}
	return ok, why
}

// Estimate is about how many rows the job will read, from the server's
// statistics; 0 if they do not say.
func Estimate(ctx context.Context, db *sql.DB, dialect, schema, table string, shards int) int64 {
	srv, err := server.Named(dialect)
	if err != nil {
		return 0
	}
	n, err := srv.Jobs().Estimate(ctx, db, schema, table)
	if err != nil || n < 0 {
		return 0
	}
	return n / int64(max(1, shards))
}

// InspectRow inspects the value of one row, whose row key is given as text.
func InspectRow(ctx context.Context, c Config, key []string) (inspect.Value, error) {
	c.Mode = Verify
	var none inspect.Value
	if err := c.complete(); err != nil {
		return none, err
	}
	sealer, err := driver.NewSealer(c.DB, append(append([]driver.Option{}, c.Options...), driver.WithPolicy(c.Policy))...)
	if err != nil {
		return none, err
	}
	defer func() { _ = sealer.Close() }() // it closes no connection
	t, err := newTarget(ctx, &c, sealer)
	if err != nil {
		return none, err
	}
	if len(key) != len(t.Key) {
		return none, fmt.Errorf("%w: the row key of %s has %d columns and %d values were given", ErrConfig, c.Table, len(t.Key), len(key))
	}
	rows, err := t.query(ctx, c.DB, t.byKey(), key)
	if err != nil {
		return none, errors.New("rekey: the row cannot be read; are the key's values of its columns' types?") // the cause may quote them
	}
	if len(rows) != 1 {
		return none, fmt.Errorf("%w: there is no such row in %s", ErrConfig, c.Table)
	}
	bound, err := t.bound(rows[0])
	if err != nil {
		return none, err
	}
	return sealer.Inspect(ctx, c.Table, c.Column, bound, stored(rows[0]))
}
