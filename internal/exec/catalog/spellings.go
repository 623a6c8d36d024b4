package catalog

import (
	"slices"
	"strings"
	"sync"
)

// Space is what stands behind the texts of a table whose columns have the types: nothing
// for the first types that were seen. See [spellings].
func (c *Catalog) Space(table, types string) string { return c.spellings.space(table, types) }

// spellings has the texts of plans differ where the types of their tables' columns do.
// Base drivers and servers keep the types of a text's parameters: pgx goes on to send a
// number where the column has become text, and Postgres stores it, so that '007' is
// stored as 7. A text that was not sent before is described anew, in every mode of the
// driver. The catalogs of one connector share it. It is safe for concurrent use.
type spellings struct {
	mu   sync.Mutex
	seen map[string][]string // by table: the types, in the order in which they were seen
}

// mostSpellings bounds the types that are told apart of one table.
const mostSpellings = 256

// space is what stands behind the texts of a table whose columns have the types: nothing
// for the first types that were seen.
func (s *spellings) space(table, types string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.seen[table]
	i := slices.Index(known, types)
	if i < 0 {
		if i = len(known); i == mostSpellings {
			return ""
		}
		if s.seen == nil {
			s.seen = make(map[string][]string)
		}
		s.seen[table] = append(known, types)
	}
	var space strings.Builder
	for ; i > 0; i >>= 1 {
		space.WriteByte(" \t"[i&1])
	}
	return space.String()
}
