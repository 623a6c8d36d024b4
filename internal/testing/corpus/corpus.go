// Package corpus reads the statements of internal/sqlplan/testdata/corpus, for
// the tests that plan them and the tests that run them on real servers.
//
// A file is a txtar archive. Each of its sections is a case, named by a
// sentence:
//
//	-- a row named by equality --
//	%args "900-12-3456", "a1"
//	UPDATE accounts SET ssn = $1 WHERE account_number = $2
//	====
//	what the planner makes of it (see Describe)
//
// Lines that begin with % come before the text: %args are JSON values; %first
// is a statement sent before it on the same connection; %after is one sent by
// the bare driver when all is done; %mode is the DSN's sql_mode, and %session the one
// that %first sets; %skip
// names what the servers' answers may differ in (see [Case.Skip]) and must say why
// after a dash. %servers names the servers that take the statement, "mariadb" or
// "postgres>=16" for example; the others must answer with an error. %error says that
// every server answers with an error, and why. Any other case must be answered.
package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// Case is one statement.
type Case struct {
	Name string
	Text string
	Args []any
	// First are statements sent before Text; After ones sent by the bare
	// driver afterwards.
	First, After []string
	// Mode is MySQL's sql_mode, empty for the server's own.
	Mode string
	// Session is the sql_mode that First brings about.
	Session string
	// Skip lists what is not compared with the bare driver: affected, rows,
	// values, types, run.
	Skip []string
	// Fails reports that the servers answer with an error, in some modes at least.
	Fails bool
	// Want is what Describe is to return.
	Want string

	servers []requirement
	head    string // the directives as they are written
}

// requirement is a product and the least version of it.
type requirement struct {
	product      string
	major, minor int
}

// Taken reports whether a server takes the statement, by the case's own account.
// The function given reports whether the server is a product, at a version or a later one.
func (c *Case) Taken(atLeast func(product string, major, minor int) bool) bool {
	return c.servers == nil || slices.ContainsFunc(c.servers, func(r requirement) bool { return atLeast(r.product, r.major, r.minor) })
}

// Plans reports whether the case says something of the product's planner: it is
// refused, or some version of the product takes it.
func (c *Case) Plans(product string) bool {
	return c.Taken(func(p string, _, _ int) bool { return p == product })
}

// parseServers reads "mariadb postgres>=16 mysql>=9.7".
func parseServers(text string) (all []requirement, err error) {
	for word := range strings.FieldsSeq(text) {
		product, version, versioned := strings.Cut(word, ">=")
		r := requirement{product: product}
		if versioned {
			if n, _ := fmt.Sscanf(version, "%d.%d", &r.major, &r.minor); n == 0 {
				return nil, fmt.Errorf("%%servers: %q is not a version", version)
			}
		}
		if !slices.Contains([]string{"postgres", "mysql", "mariadb"}, product) {
			return nil, fmt.Errorf("%%servers: unknown product %q", product)
		}
		all = append(all, r)
	}
	return all, nil
}

// Skips reports whether the case leaves out a comparison.
func (c *Case) Skips(what string) bool { return slices.Contains(c.Skip, what) }

// Refused reports whether the case is a refusal.
func (c *Case) Refused() bool { return strings.HasPrefix(c.Want, "refused: ") }

// File is a file of cases.
type File struct {
	Path    string
	Comment []byte
	Cases   []*Case
}

const separator = "===="

// Read reads every file of a folder.
func Read(dir string) ([]*File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no corpus in %s: %v", dir, err)
	}
	var files []*File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		a := txtar.Parse(data)
		f := &File{Path: p, Comment: a.Comment}
		seen := map[string]bool{}
		for _, s := range a.Files {
			c, err := parseCase(s.Name, string(s.Data))
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", p, s.Name, err)
			}
			if seen[c.Name] {
				return nil, fmt.Errorf("%s: two cases are named %q", p, c.Name)
			}
			seen[c.Name] = true
			f.Cases = append(f.Cases, c)
		}
		files = append(files, f)
	}
	return files, nil
}

func parseCase(name, data string) (*Case, error) {
	c := &Case{Name: name}
	for strings.HasPrefix(data, "%") {
		line, rest, _ := strings.Cut(data, "\n")
		c.head += line + "\n"
		data = rest
		key, value, _ := strings.Cut(line[1:], " ")
		switch key {
		case "args":
			d := json.NewDecoder(strings.NewReader("[" + value + "]"))
			d.UseNumber()
			if err := d.Decode(&c.Args); err != nil {
				return nil, err
			}
			for i, a := range c.Args {
				c.Args[i] = number(a)
			}
		case "first":
			c.First = append(c.First, value)
		case "after":
			c.After = append(c.After, value)
		case "mode":
			c.Mode = value
		case "session":
			c.Session = value
		case "servers":
			var err error
			if c.servers, err = parseServers(value); err != nil {
				return nil, err
			}
		case "error":
			if c.Fails = true; value == "" {
				return nil, fmt.Errorf("%%error does not say why")
			}
		case "skip":
			what, why, ok := strings.Cut(value, " - ")
			if !ok || why == "" {
				return nil, fmt.Errorf("%%skip does not say why")
			}
			c.Skip = strings.Fields(what)
		default:
			return nil, fmt.Errorf("unknown directive %%%s", key)
		}
	}
	text, want, _ := strings.Cut(data, "\n"+separator+"\n")
	c.Text = strings.TrimSuffix(text, "\n")
	c.Want = strings.TrimSuffix(want, "\n")
	if c.Text == "" {
		return nil, fmt.Errorf("no statement")
	}
	return c, nil
}

func number(a any) any {
	n, ok := a.(json.Number)
	if !ok {
		return a
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64()
	return f
}

// Write writes the file with the cases' Want.
func (f *File) Write() error {
	a := &txtar.Archive{Comment: f.Comment}
	for _, c := range f.Cases {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s%s\n%s\n%s\n", c.head, c.Text, separator, c.Want)
		a.Files = append(a.Files, txtar.File{Name: c.Name, Data: b.Bytes()})
	}
	return os.WriteFile(f.Path, txtar.Format(a), 0o644)
}
