// Command mutants breaks the wrapper in the ways that other wrappers of
// database/sql are broken, one at a time and outside the tree, and runs the tests of
// package driver on each. It fails if they pass on any. Run it with make mutants, or
// with a part of a mutant's description for those that have it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// mutant is one mistake: in file, a path from package driver, the text old becomes new.
type mutant struct{ what, file, old, new string }

var mutants = []mutant{
	{"Pinger is hidden", "conn.go", "bits(pinger,", "bits(pinger && false,"},
	{"Validator is faked", "conn.go", "resetter, validator, checker", "resetter, true || validator, checker"},
	{"SessionResetter is hidden", "conn.go", "resetter, validator", "resetter && false, validator"},
	{"the connection's NamedValueChecker is hidden", "conn.go", "validator, checker,", "validator, checker && false,"},
	{"a statement's NamedValueChecker is faked and shadows the connection's", "stmt.go", "bits(execer, queryer, checker, converter)", "bits(execer, queryer, true || checker, converter)"},
	{"a statement's NamedValueChecker is hidden", "stmt.go", "bits(execer, queryer, checker, converter)", "bits(execer, queryer, checker && false, converter)"},
	{"ColumnConverter is hidden", "stmt.go", "bits(execer, queryer, checker, converter)", "bits(execer, queryer, checker, converter && false)"},
	{"the legacy Execer is hidden", "conn.go", "legacyExecer || legacyQueryer)", "false && (legacyExecer || legacyQueryer))"},
	{"DriverContext is faked", "connector.go", "base.(sqldriver.DriverContext); ok {\n\t\treturn wrapped", "base.(sqldriver.DriverContext); ok || true {\n\t\treturn wrapped"},
	{"RowsNextResultSet is hidden", "rows.go", "bits(nextSet, scanType", "bits(nextSet && false, scanType"},
	{"ScanType is hidden", "rows.go", "bits(nextSet, scanType,", "bits(nextSet, scanType && false,"},
	{"the ciphertext's type is told of a protected column", "rows.go", "return c.ScanType(r.engine.Values(), nullable)", "_ = c"},
	{"rows share the base driver's buffer", "../internal/exec/reading/reader.go", "s.cells[i] = copied(v)", "s.cells[i] = v"},
	{"ErrSkip is wrapped", "run.go", "\tif err == sqldriver.ErrSkip {\n", "\tif err != nil {\n\t\terr = struct{ error }{err}\n\t}\n\tif err == sqldriver.ErrSkip {\n"},
	{"unprotected results are wrapped", "run.go", "\t\tres, err := send(ctx, a.Text, passOn(&a, args))\n\t\treturn res, c.sent(ctx, e, plan, a.Text, err)",
		"\t\tres, err := send(ctx, a.Text, passOn(&a, args))\n\t\treturn struct{ sqldriver.Result }{res}, c.sent(ctx, e, plan, a.Text, err)"},
	{"the base's rows are not closed", "rows.go", "\tr.reader.Stop()\n\treturn r.base.Close()", "\tr.reader.Stop()\n\treturn nil"},
	{"a prepared statement keeps to the policy it was prepared under", "../internal/exec/session.go", "\tcase e.config.Catalog.DB() == nil:\n\t\treturn made == e", "\tcase e.config.Catalog.DB() == nil:\n\t\treturn true"},
	{"a transaction follows a reload", "conn.go", "\tif c.inTx {\n\t\treturn c.pinned", "\tif false {\n\t\treturn c.pinned"},
	{"a policy is taken up half-written", "watch.go", "if state != before {", "if false && state != before {"},
	{"a bad policy raises no event", "reload.go", "\tif err != nil {\n\t\tc.rejected(err)\n", "\tif err != nil {\n"},
}

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Hour)
	defer cancel()
	lived, ran := 0, 0
	if len(os.Args) > 1 && os.Args[1] == "leaks" {
		what, fuzzTime := "", "90s"
		if len(os.Args) > 2 {
			fuzzTime = os.Args[2]
		}
		if len(os.Args) > 3 {
			what = os.Args[3]
		}
		ran, lived = hunt(ctx, dir, what, fuzzTime, os.Args[min(4, len(os.Args)):]...)
		report(ran, lived)
		return
	}
	for _, m := range mutants {
		if len(os.Args) > 1 && !strings.Contains(m.what, os.Args[1]) {
			continue
		}
		ran++
		killer, err := m.run(ctx, dir)
		switch {
		case err != nil:
			lived++
			fmt.Printf("ERROR    %s: %v\n", m.what, err)
		case killer == "":
			lived++
			fmt.Printf("LIVES    %s\n", m.what)
		default:
			fmt.Printf("killed   %-75s by %s\n", m.what, killer)
		}
	}
	report(ran, lived)
}

func report(ran, lived int) {
	fmt.Printf("%d mutants, %d killed\n", ran, ran-lived)
	if lived > 0 || ran == 0 {
		os.Exit(1)
	}
}

// write writes the changed files into dir and returns the overlay that puts them in
// the place of the module's.
func write(dir string, edits []edit) (overlay string, err error) {
	texts := map[string]string{}
	for _, e := range edits {
		path, err := filepath.Abs(e.file)
		if err != nil {
			return "", err
		}
		if _, changed := texts[path]; !changed {
			src, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			texts[path] = string(src)
		}
		if !strings.Contains(texts[path], e.old) {
			return "", fmt.Errorf("%s no longer has the text to change", e.file)
		}
		texts[path] = strings.Replace(texts[path], e.old, e.new, 1)
	}
	paths := map[string]string{}
	for path, text := range texts {
		paths[path] = filepath.Join(dir, fmt.Sprintf("%d-%s", len(paths), filepath.Base(path)))
		if err := os.WriteFile(paths[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": paths})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// run tests a mutant and returns the first test that failed.
func (m mutant) run(ctx context.Context, dir string) (string, error) {
	overlayFile, err := write(dir, []edit{{filepath.Join("driver", m.file), m.old, m.new}})
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-vet=off", "-timeout=60s", "-overlay", overlayFile, "./driver").CombinedOutput()
	if err == nil {
		return "", nil
	}
	if strings.Contains(string(out), "[build failed]") {
		return "", fmt.Errorf("it does not build:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		for _, mark := range []string{"--- FAIL: ", "panic: test timed out"} {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), mark); ok {
				return strings.Fields(rest + " timeout")[0], nil
			}
		}
	}
	return "", fmt.Errorf("the tests did not run: %w\n%s", err, out)
}
