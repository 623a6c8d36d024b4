package rekey

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealsql/sealsql/rekey/internal/engine"
)

// Counts are of rows. They add up: Read = Changed + Right + skipped + Failed.
type Counts struct {
	Read    int64            `json:"read"`
	Changed int64            `json:"changed"`
	Right   int64            `json:"already_right"`
	Skipped map[string]int64 `json:"skipped,omitempty"` // by reason
	Failed  int64            `json:"failed"`
}

// Skips is the number of skipped rows.
func (c *Counts) Skips() (n int64) {
	for _, k := range c.Skipped {
		n += k
	}
	return n
}

// AddsUp reports whether every row that was read is accounted for.
func (c *Counts) AddsUp() bool { return c.Read == c.Changed+c.Right+c.Skips()+c.Failed }

// Failure is a row that could not be brought to what the policy says.
type Failure struct {
	// Key is the row key's values in text; it stands in the checkpoint, so that
	// the row can be tried again.
	Key []string `json:"key"`
	// Row is the digest of the row key, as in the driver's events.
	Row    string `json:"row"`
	Reason string `json:"reason"`
	Error  string `json:"error"`
}

// Origin says where a compact value that does not verify comes from: a row and a
// column of the same table for which it does verify.
type Origin struct {
	// Row and Key identify the row in which the value was found, as in [Failure].
	Row string   `json:"row"`
	Key []string `json:"key,omitempty"`
	// FromColumn, FromRow and FromKey are where it was written.
	FromColumn string   `json:"from_column"`
	FromRow    string   `json:"from_row"`
	FromKey    []string `json:"from_key,omitempty"`
}

// Forecast is what a dry run found.
type Forecast struct {
	// KMSCalls is how many calls the job will make, and Dollars what they cost
	// at [PricePerCall]. Requests of the free tier are not taken off.
	KMSCalls int64   `json:"kms_calls"`
	Dollars  float64 `json:"dollars"`
	// Took is at the given rates and at 10 ms a call of KMS.
	Took time.Duration `json:"estimated_ns"`
	// Bytes is what the column's values take up before.
	Bytes int64 `json:"bytes"`
}

// PricePerCall is the list price of one request to KMS in dollars, in most Regions.
const PricePerCall = engine.PricePerCall

// Report says what a job did.
type Report struct {
	Job    string `json:"job"`
	Mode   Mode   `json:"mode"`
	Table  string `json:"table"`
	Column string `json:"column"`
	Counts
	// Done is true if the job came to the end of the key space.
	Done bool `json:"done"`
	// Resumed is true if the counts include earlier runs.
	Resumed  bool      `json:"resumed,omitempty"`
	Failures []Failure `json:"-"`
	// Origins are those of failed compact values that were found; see
	// [Config.FindOrigin].
	Origins  []Origin      `json:"-"`
	KMSCalls int64         `json:"kms_calls"` // of this run
	Elapsed  time.Duration `json:"elapsed_ns"`
	Reads    int64         `json:"read_this_run"`
	Forecast *Forecast     `json:"forecast,omitempty"`
}

// String is the report in one line.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: read %d = changed %d + already right %d + skipped %d + failed %d", r.Job, r.Read, r.Changed, r.Right, r.Skips(), r.Failed)
	for _, k := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "; skipped %d: %s", r.Skipped[k], k)
	}
	return b.String()
}

// newReport returns the public form of the engine's report.
func newReport(e engine.Report) Report {
	r := Report{Job: e.Job, Mode: Mode(e.Mode), Table: e.Table, Column: e.Column, Counts: Counts(e.Counts), Done: e.Done, Resumed: e.Resumed,
		KMSCalls: e.KMSCalls, Elapsed: e.Elapsed, Reads: e.Reads}
	for _, f := range e.Failures {
		r.Failures = append(r.Failures, Failure(f))
	}
	for _, o := range e.Origins {
		r.Origins = append(r.Origins, Origin(o))
	}
	if e.Forecast != nil {
		f := Forecast(*e.Forecast)
		r.Forecast = &f
	}
	return r
}
