package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"gopkg.in/yaml.v3"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/cloudwatch"
	"github.com/sealsql/sealsql/alert/otel"
)

// operations returns docs/OPERATIONS.md, and its blocks of a language.
func operations(t *testing.T, language string) (page string, blocks []string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		blocks = append(blocks, m[1])
	}
	return string(b), blocks
}

func TestThePageNamesEveryMetricAndEveryKind(t *testing.T) {
	page, _ := operations(t, "")
	for _, name := range slices.Concat(otel.Metrics(), cloudwatch.Metrics()) {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/OPERATIONS.md lacks %s", name)
		}
	}
	for _, k := range alert.Kinds() {
		if !regexp.MustCompile(`(?m)^\| [a-z_, ]*\b` + k.String() + `\b[a-z_, ]* \|`).MatchString(page) {
			t.Errorf("docs/OPERATIONS.md lacks the kind %s", k)
		}
	}
}

func TestTheCloudWatchAlarmCanBePasted(t *testing.T) {
	_, blocks := operations(t, "json")
	found := 0
	for _, text := range blocks {
		if !strings.Contains(text, "AlarmName") {
			continue
		}
		found++
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		var in sdk.PutMetricAlarmInput
		if err := dec.Decode(&in); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(cloudwatch.Metrics(), *in.MetricName) || *in.Namespace != cloudwatch.DefaultNamespace || *in.Dimensions[0].Name != "Kind" || *in.Dimensions[0].Value != alert.Mismatch.String() {
			t.Errorf("the alarm is on %s in %s", *in.MetricName, *in.Namespace)
		}
		if !slices.Contains(in.ComparisonOperator.Values(), in.ComparisonOperator) || !slices.Contains(in.Statistic.Values(), in.Statistic) || in.Period == nil || in.EvaluationPeriods == nil || in.Threshold == nil {
			t.Errorf("the alarm is incomplete: %s", text)
		}
	}
	if found != 1 {
		t.Errorf("%d alarms", found)
	}
}

func TestThePrometheusRulesNameWhatThereIs(t *testing.T) {
	_, blocks := operations(t, "yaml")
	known := map[string]bool{}
	for _, name := range otel.Metrics() {
		known[strings.ReplaceAll(name, ".", "_")] = true
	}
	attributes := []string{"sealsql_event_kind", "db_collection_name", "sealsql_column", "cloud_region"}
	rules := 0
	for _, text := range blocks {
		var file struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert, Expr, For    string
					Labels, Annotations map[string]string
				}
			}
		}
		if !strings.Contains(text, "groups:") {
			continue
		}
		dec := yaml.NewDecoder(strings.NewReader(text))
		dec.KnownFields(true)
		if err := dec.Decode(&file); err != nil {
			t.Fatal(err)
		}
		for _, r := range file.Groups[0].Rules {
			rules++
			if r.Alert == "" || r.Annotations["summary"] == "" || r.Labels["severity"] == "" || strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
				t.Errorf("rule %+v is incomplete", r)
			}
			metrics := 0
			for _, name := range regexp.MustCompile(`\b(sealsql|db|cloud|rpc)_[a-z_]+`).FindAllString(r.Expr, -1) {
				switch {
				case slices.Contains(attributes, name):
				case known[strings.TrimSuffix(name, "_total")]:
					metrics++
				default:
					t.Errorf("%s names %s, which there is not", r.Alert, name)
				}
			}
			if metrics == 0 {
				t.Errorf("%s names no metric", r.Alert)
			}
			for _, m := range regexp.MustCompile(`sealsql_event_kind=~?"([a-z_|]+)"`).FindAllStringSubmatch(r.Expr, -1) {
				for kind := range strings.SplitSeq(m[1], "|") {
					if !slices.ContainsFunc(alert.Kinds(), func(k alert.Kind) bool { return k.String() == kind }) {
						t.Errorf("%s names the kind %s, which there is not", r.Alert, kind)
					}
				}
			}
		}
	}
	if rules != 5 {
		t.Errorf("%d rules", rules)
	}
}
