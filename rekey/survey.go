package rekey

import (
	"context"

	"github.com/sealsql/sealsql/rekey/internal/engine"
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

// TermTally counts the equality terms that one column of terms holds. They are not
// compared with their values, which [Verify] does.
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

	engine *engine.Survey
}

// MayDisable reports whether no value of the column needs the key. why says what
// speaks against disabling it, or what should be known all the same.
func (s *Survey) MayDisable(key string) (ok bool, why []string) { return s.engine.MayDisable(key) }

// TakeSurvey surveys a column without opening a value: nothing is written and KMS is
// not called. Of c, DB, Policy, Options, Table, Column, the shard and the page's size
// count. The survey beside an error covers the pages read until then; it is nil if none was.
func TakeSurvey(ctx context.Context, c Config) (*Survey, error) {
	e, err := engine.Take(ctx, c.engine())
	if e == nil {
		return nil, err
	}
	s := &Survey{Table: e.Table, Column: e.Column, Tally: Tally(e.Tally), Forms: tallies(e.Forms), Suites: tallies(e.Suites), Regions: tallies(e.Regions),
		Keys: make(map[string]*KeyTally, len(e.Keys)), Missing: e.Missing, Superfluous: e.Superfluous,
		Right: e.Right, OtherContext: e.OtherContext, OtherSuite: e.OtherSuite, OtherFormat: e.OtherFormat, engine: e}
	for name, k := range e.Keys {
		s.Keys[name] = &KeyTally{Tally: Tally(k.Tally), Provider: k.Provider, Region: k.Region, Sole: k.Sole, InPolicy: k.InPolicy}
	}
	for _, n := range e.Terms {
		s.Terms = append(s.Terms, TermTally(n))
	}
	return s, err
}

func tallies(m map[string]engine.Tally) map[string]Tally {
	out := make(map[string]Tally, len(m))
	for k, t := range m {
		out[k] = Tally(t)
	}
	return out
}
