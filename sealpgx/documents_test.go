package sealpgx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestDocumentsReadAsInClear: documents and their values have the types, formats and spelling
// that pgx shows of documents in clear, in every mode, copied or inserted.
func TestDocumentsReadAsInClear(t *testing.T) {
	ran := 0
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		s := newSite(t, "&default_query_exec_mode="+mode)
		s.watch(t, "ada@secret.example", "0301-555", "cy@secret.example")
		ctx := context.Background()
		ada, cy := `{"n": 1, "email": "ada@secret.example", "phones": ["0301-555", "0302-555"]}`, `{"email": "cy@secret.example", "phones": []}`
		var answers [2]string
		for i, q := range []querier{s.pool, s.twin} {
			n, err := q.CopyFrom(ctx, pgx.Identifier{"papers"}, []string{"id", "doc", "plain", "body"}, pgx.CopyFromRows([][]any{{int64(1), ada, json.RawMessage(ada), ada}, {int64(2), nil, nil, nil}, {int64(3), map[string]any{"email": "cy@secret.example", "phones": []string{"0301-555"}}, cy, cy}}))
			answers[i] = fmt.Sprint(n, err)
			for _, text := range []string{"SELECT * FROM papers ORDER BY id", "SELECT doc->>'email', doc->'email', plain->>'email', plain->'email', body FROM papers ORDER BY id", "SELECT doc->'phones'->>0, doc#>'{phones,1}', doc->'n' FROM papers ORDER BY id",
				"INSERT INTO papers (id, doc, plain, body) VALUES ($1, $2, $3, $4) RETURNING doc, plain, body, doc->>'email'", "UPDATE papers SET doc = $2 WHERE id = $1 RETURNING *", "SELECT id FROM papers WHERE doc->>'n' = '1'"} {
				var args []any
				switch text[0] {
				case 'I':
					args = []any{int64(4), cy, cy, cy}
				case 'U':
					args = []any{int64(3), ada}
				}
				ran++
				answers[i] += "\n" + text + ": " + fmt.Sprint(answerOf(q, text, args))
			}
			var doc struct{ Email string }
			err = q.QueryRow(ctx, "SELECT doc FROM papers WHERE id = 1").Scan(&doc)
			answers[i] += fmt.Sprint("\n", doc, err)
		}
		if answers[0] != answers[1] {
			t.Errorf("%s\n got %s\nwant %s", mode, answers[0], answers[1])
		}
	}
	if ran != 60 {
		t.Errorf("%d statements ran", ran)
	}
}
