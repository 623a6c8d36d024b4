package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"

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
