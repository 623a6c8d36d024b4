// Package mysql plans SQL texts of MySQL and MariaDB.
//
// It reads a text with the lexer of its own and the parser of marino, and
// translates what they agree on into the statements of package sqlplan, whose
// rules decide. The lexer is the authority on where a string, a comment or a
// name ends: the parser is given a copy of the text, of the same length, in which
// nothing is left that the two could read differently.
//
// A text that is not read for certain, and in which a protected name occurs, is
// refused. So is, whatever it names, a text that would make the connection read
// later texts differently than this package does (sql_mode, character sets), or
// that runs SQL it does not show (PREPARE from a variable). Names are compared
// without case, whatever lower_case_table_names says.
//
// The package never sees an argument and never sends anything.
package mysql

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Options say how the connection's server reads a text.
type Options struct {
	// SQLMode is the session's sql_mode, as SELECT @@sql_mode shows it. Empty
	// means that none of ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT
	// and HIGH_NOT_PRECEDENCE is set.
	SQLMode string
	// Converts is true if the server converts texts to a character set that is not
	// UTF-8 when it sends them.
	Converts bool
	// AutoIsNull is the session's sql_auto_is_null.
	AutoIsNull bool
}

// Planner plans texts for connections of one sql_mode. It is safe for
// concurrent use.
type Planner struct {
	guard guard
	core  *sqlplan.Planner
	rules *sqlplan.Rules
}

// New returns a planner. The rules and the catalog must not change.
func New(rules *sqlplan.Rules, catalog sqlplan.Catalog, opts Options) *Planner {
	m := parseModes(opts.SQLMode)
	depth := rules.MaxDepth
	if depth <= 0 {
		depth = sqlplan.DefaultMaxDepth
	}
	return &Planner{guard: guard{modes: m}, core: sqlplan.New(rules, catalog, &dialect{modes: m, maxDepth: depth, converts: opts.Converts, nullIsLastKey: opts.AutoIsNull}), rules: rules}
}

// maxName is the most characters of a name.
const maxName = 64

// Check fails if a name of the rules is longer than the servers' names, has
// characters that theirs have not, or ends in a space.
func (p *Planner) Check() error {
	return p.rules.CheckNames(func(name string) bool {
		if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.HasSuffix(name, " ") {
			return false
		}
		return !strings.ContainsFunc(name, func(r rune) bool { return r == 0 || r > 0xFFFF })
	}, "table or column of MySQL (at most 64 characters of the basic plane, no space at the end)")
}

// Plan analyses one text. The error is a [*sqlplan.Refusal], the context's
// error, or what the catalog returned.
func (p *Planner) Plan(ctx context.Context, text string) (*sqlplan.Plan, error) {
	if r := p.guard.check(text); r != nil && !p.guard.setsAlone(text) {
		return nil, r
	}
	plan, err := p.core.Plan(ctx, text)
	if err == nil && p.guard.changesSession(text) {
		plan, err = plan.ForSession(text, p.guard.statements(text))
	}
	if err != nil {
		return nil, err
	}
	return plan.With(p.guard.effect(text)), nil
}
