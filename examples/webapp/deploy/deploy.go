// Package deploy has the AWS CloudFormation templates of the site, and reads
// the alarms in them so that the local mode rings by the same definitions.
package deploy

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed cloudformation/*.yaml
var templates embed.FS

// Alarm is an alarm on a metric of sealsql.
type Alarm struct {
	Name, Namespace, Metric string
	// Dimensions are "Name=Value", joined by commas. REGION stands for the stack's.
	Dimensions string
	Statistic  string
	// Period is in seconds; the alarm needs that many Periods at Threshold or
	// above.
	Period, Periods int
	Threshold       float64
}

type template struct {
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Resources map[string]struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	} `yaml:"Resources"`
}

type alarm struct {
	AlarmName, Namespace, MetricName, Statistic, ComparisonOperator yaml.Node
	Dimensions                                                      []struct {
		Name  yaml.Node `yaml:"Name"`
		Value yaml.Node `yaml:"Value"`
	}
	Period, EvaluationPeriods, Threshold yaml.Node
}

// UnmarshalYAML keeps the fields' names as CloudFormation writes them.
func (a *alarm) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		switch n.Content[i].Value {
		case "AlarmName":
			a.AlarmName = *value
		case "Namespace":
			a.Namespace = *value
		case "MetricName":
			a.MetricName = *value
		case "Statistic":
			a.Statistic = *value
		case "ComparisonOperator":
			a.ComparisonOperator = *value
		case "Period":
			a.Period = *value
		case "EvaluationPeriods":
			a.EvaluationPeriods = *value
		case "Threshold":
			a.Threshold = *value
		case "Dimensions":
			if err := value.Decode(&a.Dimensions); err != nil {
				return err
			}
		}
	}
	return nil
}

// Alarms returns the alarms of alarms.yaml on metrics of sealsql.
func Alarms() ([]Alarm, error) {
	text, err := templates.ReadFile("cloudformation/alarms.yaml")
	if err != nil {
		return nil, err
	}
	var t template
	if err := yaml.Unmarshal(text, &t); err != nil {
		return nil, err
	}
	resolve := func(n yaml.Node) string {
		switch n.Tag {
		case "!Ref":
			if n.Value == "AWS::Region" {
				return "REGION"
			}
			return t.Parameters[n.Value].Default
		case "!Sub":
			return strings.ReplaceAll(n.Value, "${AWS::StackName}", "twinport")
		}
		return n.Value
	}
	var all []Alarm
	for id, r := range t.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var a alarm
		if err := r.Properties.Decode(&a); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		out := Alarm{Name: resolve(a.AlarmName), Namespace: resolve(a.Namespace), Metric: resolve(a.MetricName), Statistic: resolve(a.Statistic)}
		if strings.HasPrefix(out.Namespace, "AWS/") {
			continue
		}
		if op := resolve(a.ComparisonOperator); op != "GreaterThanOrEqualToThreshold" {
			return nil, fmt.Errorf("%s: comparison operator %s is not known here", id, op)
		}
		var dimensions []string
		for _, d := range a.Dimensions {
			dimensions = append(dimensions, resolve(d.Name)+"="+resolve(d.Value))
		}
		out.Dimensions = strings.Join(dimensions, ",")
		for to, from := range map[*int]yaml.Node{&out.Period: a.Period, &out.Periods: a.EvaluationPeriods} {
			if *to, err = strconv.Atoi(resolve(from)); err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
		}
		if out.Threshold, err = strconv.ParseFloat(resolve(a.Threshold), 64); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		all = append(all, out)
	}
	return all, nil
}
