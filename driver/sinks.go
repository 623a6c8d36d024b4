package driver

import (
	"cmp"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/policy"
)

// policySinks returns the sinks set in code and those that the policy names.
func (s *settings) policySinks(p *policy.Policy, config func() (aws.Config, error)) ([]alert.Named, error) {
	sinks := s.codeSinks()
	l := s.logger
	if l == nil {
		l = slog.Default()
	}
	for _, a := range p.Alerts() {
		sink, err := alert.Open(a.Kind, alert.Settings{Namespace: a.Namespace, EMF: a.EMF, Region: cmp.Or(a.Region, p.Region()), AWS: config, Logger: l})
		if err != nil {
			return nil, fmt.Errorf("%w: alerts: %w", ErrPolicy, err)
		}
		sinks = append(sinks, alert.Named{Name: a.Kind, Sink: sink})
	}
	return sinks, nil
}

// codeSinks returns the sinks set in code.
func (s *settings) codeSinks() (sinks []alert.Named) {
	for _, k := range s.sinks {
		sinks = append(sinks, alert.Named{Name: "code", Sink: k})
	}
	return sinks
}
