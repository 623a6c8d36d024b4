package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/rekey"
)

func (a *app) reportCommand() *cobra.Command {
	var table, column, key string
	var rate float64
	c := &cobra.Command{
		Use: "report", Short: "Surveys whole tables without opening a value",
		Long: `report counts what protected columns hold: values and bytes by form, suite, Region and
wrapping key; values that lack a wrapping of the policy, or carry one that it does not name; the equality terms of
searchable columns under each key, and those that are missing. It calls no KMS and writes nothing. A column that
cannot be read is named at the end, after the others.

With --may-disable KEY it answers whether a KMS key may be disabled: exit code 0 if no value needs it and
the policy does not name it, 4 if not. The answer covers the columns of the policy (or of --table and
--column) in this database: backups and other databases have their own.`,
		Example: `  sealsql report
  sealsql report --table accounts --output json
  sealsql report --may-disable arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab && echo yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, db, dialect, err := a.both(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			list, err := columns(p, table, column)
			if err != nil {
				return err
			}
			answer := surveyAnswer{MayDisable: key}
			for _, at := range list {
				s, err := rekey.TakeSurvey(cmd.Context(), rekey.Config{DB: db, Policy: p, Table: at.table, Column: at.column, PageRows: 2000, RowsPerSecond: rate})
				switch {
				case err == nil:
					answer.add(s)
				case cmd.Context().Err() != nil:
					return err
				default:
					answer.addUnread(at, err)
				}
			}
			if answer.Guards, err = reportedGuards(cmd.Context(), p, db, dialect, list); err != nil {
				return err
			}
			return a.showSurvey(answer)
		},
	}
	f := c.Flags()
	f.StringVar(&table, "table", "", "only this table, named as the policy names it")
	f.StringVar(&column, "column", "", "only this column")
	f.StringVar(&key, "may-disable", "", "answer whether the KMS key of this ARN may be disabled")
	f.Float64Var(&rate, "rows-per-second", 0, "read no faster than this (default no bound)")
	return c
}

// surveyAnswer is what report says.
type surveyAnswer struct {
	Columns []*rekey.Survey `json:"columns"`
	// Unread are the columns that could not be surveyed.
	Unread []unreadColumn `json:"unread,omitempty"`
	// Guards are the states of the columns' guards, by table and column.
	Guards     map[string]guardState `json:"guards"`
	MayDisable string                `json:"may_disable,omitempty"`
	Answer     *bool                 `json:"answer,omitempty"`
	Why        []string              `json:"why,omitempty"`
}

// unreadColumn is a column that could not be surveyed, and why.
type unreadColumn struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Error  string `json:"error"`

	err error
}

// reportedGuards returns the state of each column's guard: the worst, where several
// schemas have the table.
func reportedGuards(ctx context.Context, p *policy.Policy, db *sql.DB, dialect string, list []place) (map[string]guardState, error) {
	srv, err := server.Named(dialect)
	if err != nil {
		return nil, err
	}
	out := map[string]guardState{}
	err = guardStates(ctx, p, srv, db, func(t policy.Table, c policy.Column, _ server.Guard, s guardState) {
		at := place{t.FullName(), c.Name}
		if before, ok := out[at.table+"."+at.column]; slices.Contains(list, at) && (!ok || before == guardHolds) {
			out[at.table+"."+at.column] = s
		}
	})
	return out, err
}

func (s *surveyAnswer) add(column *rekey.Survey) {
	s.Columns = append(s.Columns, column)
	if s.MayDisable == "" {
		return
	}
	ok, why := column.MayDisable(s.MayDisable)
	if s.Answer != nil {
		ok = ok && *s.Answer
	}
	s.Answer, s.Why = &ok, append(s.Why, why...)
}

// addUnread notes a column that cannot be surveyed. What it holds may need the key.
func (s *surveyAnswer) addUnread(at place, err error) {
	s.Unread = append(s.Unread, unreadColumn{at.table, at.column, err.Error(), err})
	if s.MayDisable != "" {
		s.Answer, s.Why = new(bool), append(s.Why, at.table+"."+at.column+" could not be read")
	}
}

// unread is the error of a survey that lacks columns.
func (s *surveyAnswer) unread() error {
	if len(s.Unread) == 0 {
		return nil
	}
	causes := make([]error, len(s.Unread))
	for i, u := range s.Unread {
		causes[i] = fmt.Errorf("%s.%s: %w", u.Table, u.Column, u.err)
	}
	return fmt.Errorf("%d of %d columns could not be read: %w", len(s.Unread), len(s.Unread)+len(s.Columns), errors.Join(causes...))
}

func (a *app) showSurvey(s surveyAnswer) error {
	if a.output == "json" {
		if err := a.json(s); err != nil {
			return err
		}
	} else {
		for _, c := range s.Columns {
			a.showColumn(c)
			if state, ok := s.Guards[c.Table+"."+c.Column]; ok {
				a.printf("  guard against clear text: %s\n", state)
			}
		}
		if s.Answer != nil {
			a.printf("may %s be disabled? %s\n", s.MayDisable, map[bool]string{true: a.paint(green, "yes"), false: a.paint(red, "no")}[*s.Answer])
			for _, why := range s.Why {
				a.printf("  %s\n", why)
			}
		}
	}
	if err := s.unread(); err != nil {
		return err
	}
	if s.Answer != nil && !*s.Answer {
		return finding(exitNo)
	}
	return nil
}

// termsOf names the terms of a column's n-th key.
func termsOf(n int, t rekey.TermTally) string {
	name := "terms in " + printable(t.Column)
	if t.Path != "" {
		return name + " of " + printable(t.Path)
	}
	if t.BranchKey != "" {
		name += " under " + printable(t.BranchKey)
	}
	if n > 0 {
		name += ", which no statement asks for"
	}
	return name
}

func (a *app) showColumn(s *rekey.Survey) {
	a.printf("%s\n", a.paint(bold, s.Table+"."+s.Column))
	const width = -94 // an ARN with what stands before it
	a.printf("  %*s %12s %14s\n", width, "", "values", "bytes")
	line := func(what, name string, n rekey.Tally, more string) {
		a.printf("  %*s %12d %14d%s\n", width, strings.TrimSpace(what+" "+printable(name)), n.Values, n.Bytes, more)
	}
	line("all rows", "", s.Tally, "")
	for _, group := range []struct {
		what string
		m    map[string]rekey.Tally
	}{{"form", s.Forms}, {"suite", s.Suites}, {"Region", s.Regions}} {
		for _, k := range slices.Sorted(maps.Keys(group.m)) {
			line(group.what, k, group.m[k], "")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Keys)) {
		t := s.Keys[k]
		line("key", k, t.Tally, word(!t.InPolicy, "  not in the policy")+word(t.Sole > 0 && !t.InPolicy, ", and the only one"))
	}
	for i, n := range s.Terms {
		a.printf("  %*s %12d%s\n", width, termsOf(i, n), n.Filled, word(n.Missing > 0, fmt.Sprintf("  %d missing: run reindex", n.Missing))+word(n.Stray > 0, fmt.Sprintf("  %d without a value", n.Stray)))
	}
	count := func(what string, n int64) {
		if n > 0 {
			a.printf("  %*s %12d\n", width, what, n)
		}
	}
	count("as the policy would write it", s.Right)
	for _, k := range slices.Sorted(maps.Keys(s.Missing)) {
		count("without "+k, s.Missing[k])
	}
	for _, k := range slices.Sorted(maps.Keys(s.Superfluous)) {
		count("with superfluous "+printable(k), s.Superfluous[k])
	}
	count("with another context than the row's", s.OtherContext)
	count("with another suite than the policy's", s.OtherSuite)
	count("in another format than the policy's", s.OtherFormat)
}
