package deploy_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestTheImageIsSmallAndNotRoot(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split(string(text), "\nFROM ")
	if len(stages) != 3 {
		t.Fatalf("%d stages", len(stages)-1)
	}
	last := stages[2]
	for _, want := range []string{"distroless/static", "USER 65532:65532", `ENTRYPOINT ["/webapp"]`, "COPY --from=build"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last stage lacks %q", want)
		}
	}
	for _, bad := range []string{"RUN ", "ENV ", "ARG ", ":latest"} {
		if strings.Contains(last, bad) {
			t.Errorf("the last stage has %q", bad)
		}
	}
}

// TestTheImageHasNoFakes looks at what the deployed build is made of.
func TestTheImageHasNoFakes(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags", "deploy", "-deps", ".")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("%d packages", len(packages))
	}
	for _, p := range packages {
		if strings.Contains(p, "sealsql/internal/testing") || strings.HasSuffix(p, "sealsql/sealtest") || strings.HasSuffix(p, "webapp/internal/local") || p == "testing" {
			t.Errorf("the image has %s", p)
		}
	}
}

func TestThePicturesOfTheREADMEAreSmall(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pictures := []string{"operations.png", "accounts-swapped.png", "drill.png", "architecture.svg"}
	for _, name := range pictures {
		info, err := os.Stat("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 200_000 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
		if !strings.Contains(string(readme), "](docs/"+name+")") {
			t.Errorf("README.md does not show %s", name)
		}
	}
}
