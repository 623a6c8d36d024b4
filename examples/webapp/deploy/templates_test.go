package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/cloudwatch"
	"github.com/sealsql/sealsql/examples/webapp/deploy"
)

// validate runs the check on a folder and returns what it says.
func validate(t *testing.T, folder string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("./validate.sh", folder)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheTemplatesAreValid(t *testing.T) {
	folder, err := filepath.Abs("cloudformation")
	if err != nil {
		t.Fatal(err)
	}
	out, err := validate(t, folder)
	if err != nil || !strings.Contains(out, "11 templates") || !strings.Contains(out, ": 0 problems") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMistakesInTemplatesAreFound changes a template in one place at a time.
func TestMistakesInTemplatesAreFound(t *testing.T) {
	cases := []struct{ name, file, old, new, want string }{
		{"a property that does not exist", "alarms.yaml", "EvaluationPeriods: 5", "EvaluationPeriodz: 5", "there is no property EvaluationPeriodz"},
		{"a property of a part that does not exist", "database.yaml", "MinCapacity: 0.5", "MinimumCapacity: 0.5", "there is no property MinimumCapacity"},
		{"a type that does not exist", "replica-key.yaml", "AWS::KMS::ReplicaKey", "AWS::KMS::ReplicatedKey", "there is no resource type AWS::KMS::ReplicatedKey"},
		{"an attribute that does not exist", "database.yaml", "Cluster.DBClusterResourceId", "Cluster.ResourceId", "has no attribute ResourceId"},
		{"a reference that leads nowhere", "service.yaml", "!Ref TaskGroup,", "!Ref TasksGroup,", "TasksGroup is neither a parameter nor a resource"},
		{"a text in a number's place", "network.yaml", "FromPort: 443", "FromPort: tls", "wants a number"},
		{"a map in a list's place", "service.yaml", "Certificates: [{CertificateArn: !Ref CertificateArn}]", "Certificates: {CertificateArn: !Ref CertificateArn}", "wants a list"},
		{"a required property that is missing", "keys.yaml", "      TargetKeyId: !Ref PinKey\n", "", "the property TargetKeyId is required"},
		{"a nested stack's parameter that does not exist", "primary.yaml", "Parameters: {Prefix:", "Parameters: {Range:", "network.yaml has no parameter Range"},
		{"a nested stack's output that does not exist", "secondary.yaml", "Network.Outputs.VpcId", "Network.Outputs.Vpc", "has no output Outputs.Vpc"},
		{"a condition that does not exist", "primary.yaml", "Condition: HasImage", "Condition: HasAnImage", "there is no condition HasAnImage"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("cloudformation")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), c.old) {
				t.Fatalf("%s has no %q (%v)", c.file, c.old, err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := validate(t, dir, "WITHOUT_CFN_LINT=1"); err == nil || !strings.Contains(out, c.want) {
				t.Errorf("want %q, got %v\n%s", c.want, err, out)
			}
		})
	}
	if len(cases) != 11 {
		t.Error("the number of cases changed")
	}
}

// TestAlarmsNameMetricsThatAreSent holds the alarms to sealsql's code.
func TestAlarmsNameMetricsThatAreSent(t *testing.T) {
	alarms, err := deploy.Alarms()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, k := range alert.Kinds() {
		kinds = append(kinds, k.String())
	}
	onKinds := map[string]bool{}
	for _, a := range alarms {
		if !slices.Contains(cloudwatch.Metrics(), a.Metric) {
			t.Errorf("%s is on %s, which is not sent", a.Name, a.Metric)
		}
		if kind, ok := strings.CutPrefix(a.Dimensions, "Kind="); ok {
			onKinds[kind] = true
			if !slices.Contains(kinds, kind) {
				t.Errorf("%s is on the kind %s, which does not exist", a.Name, kind)
			}
		}
	}
	for _, k := range alert.Kinds() {
		if k.Urgent() && !onKinds[k.String()] {
			t.Errorf("no alarm rings for %s", k)
		}
	}
	if len(alarms) != 9 {
		t.Errorf("%d alarms", len(alarms))
	}
}
