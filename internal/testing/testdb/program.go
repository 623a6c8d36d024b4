package testdb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// program is an executable of a server and what it takes to run it.
type program struct {
	path string
	// loader starts it instead of the machine's own dynamic loader, if it is set:
	// the program comes with its own C library.
	loader []string
}

func (p program) command(args ...string) *exec.Cmd {
	if p.loader == nil {
		return exec.Command(p.path, args...)
	}
	return exec.Command(p.loader[0], append(append(slices.Clone(p.loader[1:]), p.path), args...)...)
}

// unpacked is a program of a Debian package that is unpacked in dir beside all
// that it depends on.
func unpacked(dir, path string) program {
	return program{path: filepath.Join(dir, path), loader: []string{filepath.Join(dir, "usr/lib64/ld-linux-x86-64.so.2"),
		"--library-path", filepath.Join(dir, "usr/lib/x86_64-linux-gnu")}}
}

var installedIn = []string{"/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin"}

// installed finds a program in the folders given, in PATH and in Debian's folders.
func installed(name, pkg string, folders ...string) (program, error) {
	for _, f := range folders {
		found, _ := filepath.Glob(filepath.Join(f, name))
		slices.Sort(found)
		if len(found) > 0 {
			return program{path: found[len(found)-1]}, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return program{path: path}, nil
	}
	for _, f := range installedIn {
		if path := filepath.Join(f, name); exists(path) {
			return program{path: path}, nil
		}
	}
	return program{}, fmt.Errorf("%s is not installed; run apt-get install %s, or make test, which does it", name, pkg)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
