package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/policy"
)

// severity orders findings.
type severity string

const (
	lintError   severity = "error"
	lintWarning severity = "warning"
	lintNote    severity = "note"
)

var severities = []severity{lintError, lintWarning, lintNote}

// lintFinding is one thing that lint found.
type lintFinding struct {
	Severity severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	// Check names the kind of finding; it does not change.
	Check string `json:"check"`
	// Object is the table, column or key concerned.
	Object string `json:"object,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint,omitempty"`
}

// linter collects findings.
type linter struct {
	file     string
	policy   *policy.Policy
	findings []lintFinding
}

func (l *linter) add(s severity, line int, check, object, what, hint string) {
	l.findings = append(l.findings, lintFinding{s, l.file, line, check, object, what, hint})
}

func (l *linter) sort() {
	slices.SortStableFunc(l.findings, func(a, b lintFinding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)), cmp.Compare(a.Check, b.Check))
	})
}

func (a *app) lintCommand() *cobra.Command {
	var keys, strict bool
	var longest int
	c := &cobra.Command{
		Use: "lint", Short: "Checks a policy, against the live schema and the keys too",
		Long: `lint checks the policy against itself; with a database (--dsn or SEALSQL_DSN) against the live schema:
tables and columns exist, a column's type and width hold the largest ciphertext, the row key is unique and NOT
NULL, generated columns, triggers and indexes over protected columns; with --kms that the wrapping keys can be used.

Each finding has a severity, file:line and a hint. The exit code is 3 if there is an error, with --strict for a
warning, too. --max-plaintext is how many bytes the longest string, bytes or json value has, for the width.`,
		Example: `  sealsql lint --policy policy.yaml
  sealsql lint --policy policy.yaml --dsn "$SEALSQL_DSN" --kms
  sealsql lint --strict --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.lint(cmd.Context(), keys, longest)
			if err != nil {
				return err
			}
			return a.showFindings(l, strict)
		},
	}
	f := c.Flags()
	f.BoolVar(&keys, "kms", false, "make a data key under each wrapping key and open it, as the application would")
	f.BoolVar(&strict, "strict", false, "exit with 3 for warnings, too")
	f.IntVar(&longest, "max-plaintext", 256, "the longest plaintext of type string, bytes and json, in bytes")
	return c
}

func (a *app) lint(ctx context.Context, keys bool, longest int) (*linter, error) {
	l := &linter{file: a.policyPath}
	p, err := a.loadPolicy()
	var mistakes policy.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			l.add(lintError, m.Line, "policy", m.Path, m.What, m.Hint)
		}
		return l, nil
	case err != nil:
		return nil, err
	}
	l.policy = p
	for _, w := range p.Warnings() {
		l.add(lintWarning, w.Line, "policy", w.Path, w.What, "")
	}
	l.keyrings()
	if a.dsn != "" {
		db, name, err := a.connect(ctx, a.dsn)
		if err != nil {
			return nil, err
		}
		defer func() { _ = db.Close() }()
		if err := l.schema(ctx, db, name, longest); err != nil {
			return nil, err
		}
		if err := l.guards(ctx, db, name); err != nil {
			return nil, err
		}
	}
	if keys {
		if err := l.keys(ctx); err != nil {
			return nil, err
		}
	}
	l.sort()
	return l, nil
}

// keyrings looks at what the policy says of keys, without asking KMS.
func (l *linter) keyrings() {
	used := map[string]bool{}
	for _, t := range l.policy.Tables() {
		for _, c := range t.Columns {
			used[c.Keyring] = true
			if c.Legacy != "" {
				l.add(lintNote, c.Line, "legacy", t.Name+"."+c.Name, "bare KMS ciphertexts are read, which are bound to their row by their context alone", "run sealsql reencrypt, then take legacy out")
			}
		}
	}
	for _, name := range l.policy.Keyrings() {
		k, _ := l.policy.Keyring(name)
		if !used[name] {
			l.add(lintWarning, k.Line, "keyring-unused", name, "no column uses the keyring", "take it out, or name it in a column")
		}
		if k.KMS == nil {
			continue
		}
		if len(k.KMS.ReadARNs) > 0 {
			l.add(lintNote, k.Line, "read-keys", name, "old keys are still read", "run sealsql reencrypt, then sealsql report --may-disable KEY, and take read_keys out")
		}
		if len(k.KMS.ARNs) > 1 && k.KMS.Degrade && k.KMS.MinWrappings == 1 {
			l.add(lintNote, k.Line, "degrade", name, "while a Region is down, values are written that only the others can read", "run sealsql repair afterwards, or set when_region_down: fail")
		}
	}
}

func (a *app) showFindings(l *linter, strict bool) error {
	count := map[severity]int{}
	for _, f := range l.findings {
		count[f.Severity]++
	}
	if a.output == "json" {
		if l.findings == nil {
			l.findings = []lintFinding{}
		}
		if err := a.json(l.findings); err != nil {
			return err
		}
	} else {
		paint := map[severity]colour{lintError: red, lintWarning: yellow, lintNote: bold}
		for _, f := range l.findings {
			at := f.File
			if f.Line > 0 {
				at = sprintf("%s:%d", f.File, f.Line)
			}
			a.printf("%s: %s: %s%s [%s]\n", at, a.paint(paint[f.Severity], string(f.Severity)), word(f.Object != "", printable(f.Object)+": "), printable(f.What), f.Check)
			a.printf("%s", word(f.Hint != "", "    "+f.Hint+"\n"))
		}
		a.printf("%d errors, %d warnings, %d notes\n", count[lintError], count[lintWarning], count[lintNote])
	}
	if count[lintError] > 0 || strict && count[lintWarning] > 0 {
		return finding(exitFindings)
	}
	return nil
}
