package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/rekey"
)

// Exit codes. They are documented in sealsql --help and do not change.
const (
	exitOK       = 0
	exitError    = 1 // the command could not do its work
	exitUsage    = 2 // flags or arguments
	exitFindings = 3 // it did, and found something: lint findings, failed rows, a refusal
	exitNo       = 4 // report --may-disable: the key is still needed
	exitStopped  = 5 // stopped before the end; --resume goes on
	exitRunning  = 6 // another process works on the same job
)

const longHelp = `sealsql checks a policy, shows what the driver does with a statement, and moves the
values of protected columns: from plaintext, from old keys, from hand-made KMS ciphertexts.

The policy comes from --policy or SEALSQL_POLICY, the database from --dsn or SEALSQL_DSN, in
pgx's or go-sql-driver's form and without sealsql's own parameters. AWS is configured the
SDK's way (AWS_REGION, AWS_PROFILE, roles, AWS_ENDPOINT_URL_KMS).`

const exitHelp = `Exit codes:
  0  done, nothing found
  1  the command could not do its work
  2  wrong flags or arguments
  3  something was found: lint findings, rows that failed, a refused statement
  4  report --may-disable: the key is still needed
  5  stopped before the end; run again with --resume
  6  another process works on the same job`

// app is what every command works with.
type app struct {
	in       io.Reader
	out, err io.Writer

	policyPath, dsn, dialect, region, output, color string
}

// finding is an error that was reported already and only sets the exit code.
type finding int

func (f finding) Error() string { return fmt.Sprintf("exit code %d", int(f)) }

// usageError is a wrong flag or argument.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run carries out a command line and returns its exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(context.Background())
	var f finding
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return int(f)
	}
	fmt.Fprintf(errOut, "%s %v\n", a.paint(red, "sealsql:"), err)
	return exitCode(err)
}

func exitCode(err error) int {
	var u usageError
	switch {
	case errors.As(err, &u), errors.Is(err, rekey.ErrConfig):
		return exitUsage
	case errors.Is(err, rekey.ErrRunning):
		return exitRunning
	case errors.Is(err, rekey.ErrStopped):
		return exitStopped
	}
	return exitError
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "sealsql", Short: "Checks policies and moves the values of protected columns", Long: longHelp + "\n\n" + exitHelp,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.prepare() },
	}
	group(root)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&a.policyPath, "policy", "", "the policy's file (default $SEALSQL_POLICY)")
	f.StringVar(&a.dsn, "dsn", "", "the database; better given as $SEALSQL_DSN, which ps does not show")
	f.StringVar(&a.dialect, "dialect", "", "postgres or mysql, where the DSN does not show it")
	f.StringVar(&a.region, "region", "", "the AWS Region to work in, where the policy names none (default $AWS_REGION)")
	f.StringVarP(&a.output, "output", "o", "text", "text or json")
	f.StringVar(&a.color, "color", "auto", "auto, always or never; auto means on a terminal, unless NO_COLOR is set")
	root.AddCommand(a.lintCommand(), a.planCommand(), a.explainCommand(), a.inspectCommand(), a.reportCommand())
	root.AddCommand(a.jobCommands()...)
	root.AddCommand(a.keysCommand())
	return root
}

// prepare checks the flags that every command has.
func (a *app) prepare() error {
	if a.output != "text" && a.output != "json" {
		return usagef("--output %s is not known; write text or json", a.output)
	}
	if a.color != "auto" && a.color != "always" && a.color != "never" {
		return usagef("--color %s is not known; write auto, always or never", a.color)
	}
	if a.policyPath == "" {
		a.policyPath = os.Getenv("SEALSQL_POLICY")
	}
	if a.dsn == "" {
		a.dsn = os.Getenv("SEALSQL_DSN")
	}
	if a.region != "" {
		return os.Setenv("AWS_REGION", a.region)
	}
	return nil
}

func (a *app) json(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (a *app) printf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }

// args is a check of cobra's whose error is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%s %w; see %s --help", c.CommandPath(), err, c.CommandPath())
		}
		return nil
	}
}

// group makes a command that consists of others show its help, and refuse what
// is none of them: cobra passes over that below the root.
func group(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "? "
		}
		return usagef("unknown command %q for %q; %ssee %s --help", args[0], c.CommandPath(), hint, c.CommandPath())
	}
}

// noArgs is cobra's, in other words.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}
