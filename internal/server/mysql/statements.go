package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"github.com/sealsql/sealsql/internal/server"
)

// statementsSQL reads the digests with a sample of each; MariaDB keeps no sample.
var statementsSQL = []string{statements("COALESCE(NULLIF(QUERY_SAMPLE_TEXT, ''), DIGEST_TEXT)"), statements("DIGEST_TEXT")}

func statements(text string) string {
	return "SELECT " + text + `, DIGEST, COUNT_STAR FROM performance_schema.events_statements_summary_by_digest
WHERE SCHEMA_NAME = DATABASE() AND DIGEST_TEXT IS NOT NULL ORDER BY COUNT_STAR DESC`
}

// Statements implements [server.Server] with the digests of performance_schema.
func (Server) Statements(ctx context.Context, db *sql.DB, yield func(server.CountedStatement) error) error {
	var on bool
	if err := db.QueryRowContext(ctx, "SELECT @@performance_schema").Scan(&on); err != nil {
		return fmt.Errorf("whether performance_schema is on cannot be read: %w", err)
	}
	if !on {
		return errors.New("the server keeps no statements; turn performance_schema on")
	}
	var err error
	for _, query := range statementsSQL {
		var rows *sql.Rows
		if rows, err = db.QueryContext(ctx, query); err != nil {
			continue
		}
		return server.EachStatement(rows, func(k server.CountedStatement) error {
			k.Text = undigested(k.Text)
			return yield(k)
		})
	}
	return fmt.Errorf("performance_schema cannot be read: %w; grant SELECT on it", err)
}

// shortened matches what the server writes for lists that it shortened.
var shortened = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`/\* *, \.\.\. *\*/`), ""},
	{regexp.MustCompile(`\( *\.\.\. *\)`), "(?)"},
	{regexp.MustCompile(`, *\.\.\. *\)`), ")"},
}

// undigested is a digest's text with lists of one value in the place of shortened lists.
func undigested(text string) string {
	for _, s := range shortened {
		text = s.from.ReplaceAllString(text, s.to)
	}
	return text
}
