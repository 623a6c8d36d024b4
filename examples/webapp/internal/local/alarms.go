package local

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/deploy"
	"github.com/sealsql/sealsql/examples/webapp/internal/web"
	"github.com/sealsql/sealsql/internal/testing/fakecloudwatch"
)

// alarms plays CloudWatch alarms: the definitions are those of the deployment,
// and the metrics are those that the sites' PutMetricData calls brought. It is
// safe for concurrent use.
type alarms struct {
	cloudwatch  *fakecloudwatch.Server
	regions     []string
	definitions []deploy.Alarm

	mu    sync.Mutex
	seen  int // metrics that were looked at
	state map[string]*alarmState
}

type alarmState struct {
	values []datum
	since  time.Time // when it went to ALARM
}

type datum struct {
	at    time.Time
	value float64
}

func newAlarms(cw *fakecloudwatch.Server, regions []string) (*alarms, error) {
	definitions, err := deploy.Alarms()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(definitions, func(a, b deploy.Alarm) int { return strings.Compare(a.Name, b.Name) })
	return &alarms{cloudwatch: cw, regions: regions, definitions: definitions, state: map[string]*alarmState{}}, nil
}

// watch evaluates the alarms twice a second until ctx ends.
func (a *alarms) watch(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.evaluate(now)
		}
	}
}

func (a *alarms) evaluate(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	metrics := a.cloudwatch.Metrics()
	fresh := metrics[a.seen:]
	a.seen = len(metrics)
	for _, region := range a.regions {
		for _, d := range a.definitions {
			s := a.state[region+" "+d.Name]
			if s == nil {
				s = &alarmState{}
				a.state[region+" "+d.Name] = s
			}
			for _, m := range fresh {
				if m.Region == region && m.Namespace == d.Namespace && m.Name == d.Metric && m.Dimensions == strings.ReplaceAll(d.Dimensions, "REGION", region) {
					s.values = append(s.values, datum{now, m.Value})
				}
			}
			s.evaluate(now, d)
		}
	}
}

func (s *alarmState) evaluate(now time.Time, d deploy.Alarm) {
	period := time.Duration(d.Period) * time.Second
	window := period * time.Duration(d.Periods)
	for len(s.values) > 0 && now.Sub(s.values[0].at) > window {
		s.values = s.values[1:]
	}
	breaching := 0
	for i := range d.Periods {
		from, to := now.Add(-period*time.Duration(i+1)), now.Add(-period*time.Duration(i))
		var sum, highest float64
		for _, v := range s.values {
			if v.at.After(from) && !v.at.After(to) {
				sum, highest = sum+v.value, max(highest, v.value)
			}
		}
		if d.Statistic == "Sum" && sum >= d.Threshold || d.Statistic == "Maximum" && highest >= d.Threshold {
			breaching++
		}
	}
	switch {
	case breaching < d.Periods:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = now
	}
}

// of returns a Region's alarms, those that ring first.
func (a *alarms) of(region string) []web.Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ringing, quiet []web.Alarm
	for _, d := range a.definitions {
		s := a.state[region+" "+d.Name]
		if s != nil && !s.since.IsZero() {
			ringing = append(ringing, web.Alarm{Name: d.Name, Region: region, State: "ALARM", Ringing: true, Since: "since " + s.since.UTC().Format("15:04:05") + " UTC, sent to the security topic"})
			continue
		}
		quiet = append(quiet, web.Alarm{Name: d.Name, Region: region, State: "OK"})
	}
	return append(ringing, quiet...)
}
