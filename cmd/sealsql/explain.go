package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/sealsql/sealsql/driver"
)

func (a *app) explainCommand() *cobra.Command {
	var schema, from, format string
	c := &cobra.Command{
		Use: "explain SQL | - | --from FILE", Short: "Shows what the driver would do with a SQL text",
		Long: `explain plans a statement as the driver does and shows the texts that would be sent, which
parameters and literals are sealed and what they are bound to, the columns that are added and stripped, and why a
statement is refused. Nothing of it is sent. The exit code is 3 for a refusal.

The tables are read from the database, or from a YAML file that lists their columns:

  accounts:
    - {name: account_number, type: varchar, unique: true}
    - {name: ssn, type: bytea}

--from reads a log of statements and reports which of them the policy would have refused, by reason, before anyone deploys
it. The log holds a JSON text a line, or is Postgres's csvlog or jsonlog, or MySQL's general or slow log; --from server
reads what the server keeps, pg_stat_statements or performance_schema's digests. No statement's text is printed.`,
		Example: `  sealsql explain "SELECT ssn FROM accounts WHERE account_number = \$1"
  sealsql explain --schema tables.yaml --dialect mysql - < query.sql
  sealsql explain --from /var/log/postgresql/postgresql.csv`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case from != "" && len(args) == 0:
				return a.explainFrom(cmd, from, format, schema)
			case from != "" || len(args) == 0:
				return usagef("explain takes a statement or --from FILE; see sealsql explain --help")
			}
			text := args[0]
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(a.in, maxValue))
				if err != nil {
					return err
				}
				text = string(b)
			}
			s, done, err := a.planner(cmd, schema)
			if err != nil {
				return err
			}
			defer done()
			x, err := s.Explain(cmd.Context(), text)
			refused, ok := errors.AsType[*driver.RefusedError](err)
			if err != nil && !ok {
				return err
			}
			return a.showExplanation(x, refused)
		},
	}
	c.Flags().StringVar(&schema, "schema", "", "a YAML file that lists the tables' columns, in place of the database")
	c.Flags().StringVar(&from, "from", "", "a log of statements to explain, - for standard input, or server")
	c.Flags().StringVar(&format, "format", "", "the log's format: json, csv, general or slow; recognised by how it begins if it is not given")
	return c
}

// planner opens a sealer over the database or over a file's tables.
func (a *app) planner(cmd *cobra.Command, file string) (*driver.ValueSealer, func(), error) {
	p, err := a.loadPolicy()
	if err != nil {
		return nil, nil, err
	}
	if file == "" {
		db, _, err := a.connect(cmd.Context(), a.dsn)
		if err != nil {
			return nil, nil, err
		}
		s, err := driver.NewSealer(db, driver.WithPolicy(p))
		if err != nil {
			_ = db.Close() // err says what matters
			return nil, nil, err
		}
		return s, func() { _, _ = s.Close(), db.Close() }, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var tables map[string][]driver.SchemaColumn
	if err := yaml.Unmarshal(data, &tables); err != nil {
		return nil, nil, fmt.Errorf("%s cannot be read as tables: %w", file, err)
	}
	name := a.dialect
	if name == "" {
		name = defaultDialect
	}
	if name, err = dialectOf("", name); err != nil {
		return nil, nil, err
	}
	s, err := driver.NewSealer(nil, driver.WithPolicy(p), driver.WithSchema(tables), driver.WithDialect(driver.Dialect(name)))
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close() }, nil
}

// shownExplanation is an explanation as JSON shows it.
type shownExplanation struct {
	Protected bool          `json:"protected"`
	Steps     []shownStep   `json:"steps,omitempty"`
	Seals     []shownSeal   `json:"seals,omitempty"`
	Columns   []shownColumn `json:"columns,omitempty"`
	Refused   *shownRefusal `json:"refused,omitempty"`
}

type shownStep struct {
	Purpose string `json:"purpose"`
	SQL     string `json:"sql"`
}

type shownSeal struct {
	Table  string            `json:"table"`
	Column string            `json:"column"`
	Value  string            `json:"value"`
	Bound  map[string]string `json:"bound"`
	Term   bool              `json:"term,omitempty"` // the value's equality term is sent
}

// shownColumn is a column that shows a protected value, or was added.
type shownColumn struct {
	Position     int    `json:"position"` // from 1, among the server's columns
	Name         string `json:"name,omitempty"`
	Hidden       bool   `json:"hidden,omitempty"`
	Shows        string `json:"shows,omitempty"` // table.column
	Unverifiable bool   `json:"unverifiable,omitempty"`
}

type shownRefusal struct {
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Object string `json:"object,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint,omitempty"`
}

func (a *app) showExplanation(x *driver.Explanation, refused *driver.RefusedError) error {
	s := shownExplanation{Protected: true}
	if r := refused; r != nil {
		s.Refused = &shownRefusal{r.Line, r.Column, r.Object, r.What, r.Hint}
	} else if s.Protected = x.Protected; s.Protected {
		s.add(x)
	}
	if a.output == "json" {
		if err := a.json(s); err != nil {
			return err
		}
	} else {
		a.explainText(s)
	}
	if refused != nil {
		return finding(exitFindings)
	}
	return nil
}

func (s *shownExplanation) add(x *driver.Explanation) {
	for _, step := range x.Steps {
		s.Steps = append(s.Steps, shownStep(step))
	}
	for _, seal := range x.Seals {
		s.Seals = append(s.Seals, shownSeal(seal))
	}
	for _, set := range x.Results {
		for i, c := range set {
			if c.Hidden || c.Column != "" {
				s.Columns = append(s.Columns, shownColumn{i + 1, c.Name, c.Hidden, word(c.Column != "", c.Table+"."+c.Column), c.Unverifiable})
			}
		}
	}
}

func (a *app) explainText(x shownExplanation) {
	if r := x.Refused; r != nil {
		at := ""
		if r.Line > 0 {
			at = fmt.Sprintf(" at %d:%d", r.Line, r.Column)
		}
		a.printf("%s%s%s\n  %s\n", a.paint(red, "refused"), at, word(r.Object != "", " ("+r.Object+")"), r.What)
		a.printf("%s", word(r.Hint != "", "  instead: "+r.Hint+"\n"))
		return
	}
	if !x.Protected {
		a.printf("touches nothing that the policy protects: it is sent as it is\n")
		return
	}
	for i, s := range x.Steps {
		a.printf("%s %s\n", a.paint(bold, fmt.Sprintf("step %d", i+1)), s.Purpose)
		a.printf("  %s\n", strings.ReplaceAll(s.SQL, "\n", "\n  "))
	}
	for _, s := range x.Seals {
		what, bound := "seals", "bound to"
		if s.Term {
			what, bound = "makes the term of", "for"
		}
		a.printf("%s %s.%s: %s", a.paint(green, what), s.Table, s.Column, s.Value)
		for _, k := range slices.Sorted(maps.Keys(s.Bound)) {
			a.printf(", %s %s = %s", bound, k, s.Bound[k])
		}
		a.printf("\n")
	}
	for _, c := range x.Columns {
		switch {
		case c.Shows != "":
			a.printf("%s column %d%s: %s%s\n", a.paint(green, "opens"), c.Position, word(c.Name != "", " "+c.Name), c.Shows, word(c.Unverifiable, ", whose row the statement hides"))
		default:
			a.printf("hides column %d%s, which was added\n", c.Position, word(c.Name != "", " "+c.Name))
		}
	}
}
