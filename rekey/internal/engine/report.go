package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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

func (c *Counts) add(o outcome, n int64) {
	switch o.kind {
	case changed:
		c.Changed += n
	case right:
		c.Right += n
	case skipped:
		if c.Skipped == nil {
			c.Skipped = map[string]int64{}
		}
		if c.Skipped[o.reason] += n; c.Skipped[o.reason] == 0 {
			delete(c.Skipped, o.reason)
		}
	case failed:
		c.Failed += n
	}
}

func (c Counts) clone() Counts {
	c.Skipped = maps.Clone(c.Skipped)
	return c
}

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

// Forecast is what a dry run found.
type Forecast struct {
	// KMSCalls is how many calls the job will make, and Dollars what they cost
	// at PricePerCall. Requests of the free tier are not taken off.
	KMSCalls int64   `json:"kms_calls"`
	Dollars  float64 `json:"dollars"`
	// Took is at the given rates and at 10 ms a call of KMS.
	Took time.Duration `json:"estimated_ns"`
	// Bytes is what the column's values take up before.
	Bytes int64 `json:"bytes"`
}

// PricePerCall is the list price of one request to KMS in dollars, in most Regions.
const PricePerCall = 0.03 / 10_000

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
	// Origins are those of failed compact values that were found.
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
