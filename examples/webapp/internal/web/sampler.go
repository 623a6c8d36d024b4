package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealsql/sealsql/alert"
)

const (
	points = 60 // seconds that a chart shows
	// PricePerCall is what AWS KMS asks for a request of a symmetric key in US
	// dollars, beyond the free tier.
	PricePerCall = 0.03 / 10_000
)

// sampler reads sealsql's counters once a second for the charts. It is safe
// for concurrent use.
type sampler struct {
	stats func() ([]alert.Snapshot, error)

	mu     sync.Mutex
	before map[string]total
	series map[string][]point
	now    []alert.Snapshot
}

// total is what a Region's histogram had at the last sample; point is what was
// added in a second.
type total struct {
	count uint64
	sum   time.Duration
}

type point struct {
	calls uint64
	mean  time.Duration
}

// sample adds a point to each Region's series.
func (s *sampler) sample() {
	all, err := s.stats()
	if err != nil {
		return // the last sample goes on to be shown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := map[string]total{}
	for _, snapshot := range all {
		for region := range snapshot.KMSRegions {
			if _, ok := sums[region]; !ok {
				sums[region] = total{} // listed, with or without calls
			}
		}
		for _, l := range snapshot.KMSLatency {
			t := sums[l.Region]
			sums[l.Region] = total{t.count + l.Count, t.sum + l.Sum}
		}
	}
	if s.series == nil {
		s.series = map[string][]point{}
	}
	for region, t := range sums {
		was := s.before[region]
		p := point{calls: t.count - was.count}
		if p.calls > 0 {
			p.mean = (t.sum - was.sum) / time.Duration(p.calls)
		}
		line := append(s.series[region], p)
		s.series[region] = line[max(0, len(line)-points):]
	}
	s.before, s.now = sums, all
}

// panel is what the operations page shows of the counters.
type panel struct {
	Sealed, Opened, Failed, Calls uint64
	Cost                          string
	Regions                       []regionView
	Columns                       []columnView
	Kinds                         []kindView
}

type regionView struct {
	Name                      string
	Here, Held                bool
	Calls, Retries, Throttles uint64
	Missing                   uint64
	PerSecond                 uint64
	Mean                      string
	Line, Area                string // of the chart, 240 by 48
	Peak                      string
	Outcomes                  []outcomeView
}

type outcomeView struct {
	Name  string
	Calls uint64
}

type columnView struct {
	Name                   string
	Sealed, Opened, Failed uint64
}

type kindView struct {
	Name   string
	Count  uint64
	Urgent bool
}

func (s *sampler) panel(here string, counts map[string]uint64) panel {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p panel
	regions, columns := map[string]*regionView{}, map[string]*columnView{}
	for name, line := range s.series {
		regions[name] = &regionView{Name: name, Here: name == here}
		regions[name].draw(line)
	}
	for _, snapshot := range s.now {
		p.add(snapshot, regions, columns)
	}
	for _, name := range slices.Sorted(maps.Keys(regions)) {
		r := regions[name]
		slices.SortFunc(r.Outcomes, func(a, b outcomeView) int {
			return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Name, b.Name))
		})
		p.Regions = append(p.Regions, *r)
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		p.Columns = append(p.Columns, *columns[name])
	}
	for _, kind := range alert.Kinds() {
		p.Kinds = append(p.Kinds, kindView{kind.String(), counts[kind.String()], kind.Urgent()})
	}
	p.Cost = fmt.Sprintf("$%.5f", float64(p.Calls)*PricePerCall)
	return p
}

func (p *panel) add(s alert.Snapshot, regions map[string]*regionView, columns map[string]*columnView) {
	for _, c := range s.Columns {
		name := c.Table + "." + c.Column
		v := columns[name]
		if v == nil {
			v = &columnView{Name: name}
			columns[name] = v
		}
		v.Sealed, v.Opened = v.Sealed+c.Sealed, v.Opened+c.Opened
		for _, n := range c.Failed {
			v.Failed += n
		}
		for _, n := range c.SealFailed {
			v.Failed += n
		}
		p.Sealed, p.Opened = p.Sealed+c.Sealed, p.Opened+c.Opened
	}
	p.Failed = 0
	for _, v := range columns {
		p.Failed += v.Failed
	}
	for call, n := range s.KMSCalls {
		p.Calls += n
		r := regions[call.Region]
		if r == nil {
			continue // called since the last sample
		}
		r.Calls += n
		i := slices.IndexFunc(r.Outcomes, func(o outcomeView) bool { return o.Name == call.Outcome })
		if i < 0 {
			i, r.Outcomes = len(r.Outcomes), append(r.Outcomes, outcomeView{Name: call.Outcome})
		}
		r.Outcomes[i].Calls += n
	}
	for name, k := range s.KMSRegions {
		if r := regions[name]; r != nil {
			r.Held = r.Held || k.BreakerOpen
			r.Retries, r.Throttles = r.Retries+k.Retries, r.Throttles+k.Throttles
		}
	}
	for name, n := range s.WrappingsMissing {
		if r := regions[name]; r != nil {
			r.Missing += n
		}
	}
}

// The chart's size in its own units.
const width, height = 240.0, 48.0

// draw makes the chart of the mean latency by second. Seconds without a call
// repeat the one before.
func (r *regionView) draw(line []point) {
	var peak, mean time.Duration
	for _, p := range line {
		peak = max(peak, p.mean)
	}
	scale := max(peak, time.Millisecond)
	var path strings.Builder
	step := width / float64(points-1)
	x0 := width - step*float64(len(line)-1)
	for i, p := range line {
		if p.calls > 0 {
			mean = p.mean
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], x0+step*float64(i), height-2-(height-6)*float64(mean)/float64(scale))
	}
	r.Line = path.String()
	if len(line) > 0 {
		r.Area = fmt.Sprintf("%sL%.1f %.1fL%.1f %.1fZ", r.Line, width, height, x0, height)
		r.PerSecond = line[len(line)-1].calls
	}
	r.Mean, r.Peak = Milliseconds(mean), Milliseconds(peak)
}

// Milliseconds writes a duration for people; 0 is a dash.
func Milliseconds(d time.Duration) string {
	switch {
	case d == 0:
		return "—"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f ms", float64(d)/1e6)
}
