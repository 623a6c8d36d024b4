package leak

import (
	"fmt"
	"testing"
)

// counts is what became of a run's statements.
type counts struct {
	sent, accepted, refused, failed, skipped int
	sealed, wrote, clear, crashed            int
}

func (c *counts) add(v verdict) {
	c.sent++
	switch {
	case v.refused:
		c.refused++
	case v.err != nil:
		c.failed++
	default:
		c.accepted++
	}
	if v.sealed {
		c.sealed++
	}
	if v.wrote {
		c.wrote++
	}
	if v.err == nil && len(v.logged) > 0 {
		c.clear++
	}
}

func (c counts) String() string {
	return fmt.Sprintf("%d statements: %d accepted (%d with a marker sealed, %d with one in clear, %d changed rows), %d refused, %d failed by the server, which went down at %d; %d not sent",
		c.sent, c.accepted, c.sealed, c.clear, c.wrote, c.refused, c.failed, c.crashed, c.skipped)
}

// enough fails a run of which too little was accepted to mean anything. Markers for
// unprotected columns come with statements that are made; the seeds, which come first,
// have few.
func (f *fuzz) enough(t *testing.T) {
	c := f.counts
	made := c.sent > 2*len(f.gen.seeds)
	if c.sent < 30 || c.accepted < c.sent/10 || c.sealed < c.sent/50 || c.wrote < c.sent/50 || made && c.clear < c.sent/100 {
		t.Errorf("too few statements were accepted, sealed something, wrote or sent a marker for an unprotected column: %s", c)
	}
}
