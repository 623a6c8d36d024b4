package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/server"

	"github.com/sealsql/sealsql/internal/sqlplan"
	plannermysql "github.com/sealsql/sealsql/internal/sqlplan/mysql"
)

// keyTypes are the types that a row key may have on each server, and literals of
// values that are hard to tell apart.
var keyTypes = map[string]map[string]func(r *rand.Rand) string{
	"postgres": {
		"text": textLiteral, "varchar(40)": textLiteral, "char(40)": textLiteral, "name": textLiteral, `"char"`: func(r *rand.Rand) string { return fmt.Sprintf("'%c'", 'a'+r.IntN(26)) },
		"smallint": integerLiteral(1 << 15), "integer": integerLiteral(1 << 31), "bigint": integerLiteral(1 << 62), "oid": func(r *rand.Rand) string { return fmt.Sprint(r.Uint32()) },
		"numeric": decimalLiteral, "numeric(20,4)": decimalLiteral, "numeric(10,-2)": decimalLiteral, "boolean": func(r *rand.Rand) string { return []string{"true", "false"}[r.IntN(2)] },
		"uuid":  func(r *rand.Rand) string { return fmt.Sprintf("'00000000-0000-0000-0000-%012x'", r.IntN(50)) },
		"bytea": func(r *rand.Rand) string { return fmt.Sprintf(`'\x%04x'`, r.IntN(1<<16)) },
		"date":  dateLiteral, "timestamp": timestampLiteral, "timestamp(3)": timestampLiteral, "timestamptz": timestampLiteral, "timestamptz(0)": timestampLiteral,
	},
	"mysql": {
		"varchar(40)": textLiteral, "varchar(40) CHARACTER SET latin1": textLiteral, "varchar(40) COLLATE utf8mb4_bin": textLiteral, "char(40)": textLiteral,
		"enum('a','A ','b','1','2')": func(r *rand.Rand) string { return []string{"'a'", "'b'", "1", "2", "3", "'1'"}[r.IntN(6)] },
		"set('a','b','c')":           func(r *rand.Rand) string { return fmt.Sprint(r.IntN(8)) },
		"tinyint":                    integerLiteral(1 << 7), "smallint unsigned": integerLiteral(1 << 16), "int": integerLiteral(1 << 31), "bigint": integerLiteral(1 << 62),
		"bigint unsigned": func(r *rand.Rand) string { return fmt.Sprint(r.Uint64()) }, "year": func(r *rand.Rand) string { return fmt.Sprint(r.IntN(100)) },
		"decimal(20,4)": decimalLiteral, "decimal(10,0)": decimalLiteral,
		"binary(3)": bytesLiteral, "varbinary(3)": bytesLiteral, "date": zeroDateLiteral, "datetime": timestampLiteral, "datetime(6)": zeroTimestampLiteral, "datetime(3)": timestampLiteral,
	},
}

func textLiteral(r *rand.Rand) string {
	words := []string{"a", "A", "ä", "a\u0308", "ß", "ss", "1", "01", "1.0", " 1", "1 ", "", "İ", "i", "ı", "K", "\u212a", "\t", "true", "t", "e", "é"}
	return "'" + words[r.IntN(len(words))] + words[r.IntN(len(words))] + "'"
}

func integerLiteral(limit int64) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return fmt.Sprint(r.Int64N(limit)) }
}

func decimalLiteral(r *rand.Rand) string {
	return []string{"", "-"}[r.IntN(2)] + []string{"0", "7", "10", "100", "770", "77", "0.5", "0.05", "7.50", "7.5", "1234.5678", "1234.567"}[r.IntN(12)]
}

func bytesLiteral(r *rand.Rand) string { return fmt.Sprintf("x'%0*x'", 2*(1+r.IntN(3)), r.IntN(256)) }

func dateLiteral(r *rand.Rand) string {
	return fmt.Sprintf("'%04d-%02d-%02d'", []int{1, 1969, 1999, 2023, 2024, 9999}[r.IntN(6)], 1+r.IntN(12), 1+r.IntN(28))
}

func zeroDateLiteral(r *rand.Rand) string {
	return fmt.Sprintf("'%04d-%02d-%02d'", []int{0, 1, 2023, 2024}[r.IntN(4)], r.IntN(13), r.IntN(32))
}

func clockLiteral(r *rand.Rand) string {
	return fmt.Sprintf(" %02d:%02d:%02d.%06d'", r.IntN(24), []int{0, 30, 59}[r.IntN(3)], []int{0, 59}[r.IntN(2)], []int{0, 1, 100000, 999999, 500000}[r.IntN(5)])
}

func timestampLiteral(r *rand.Rand) string {
	return strings.TrimSuffix(dateLiteral(r), "'") + clockLiteral(r)
}

func zeroTimestampLiteral(r *rand.Rand) string {
	return strings.TrimSuffix(zeroDateLiteral(r), "'") + clockLiteral(r)
}

// TestCanonicalTextIsOneToOne looks for two stored keys, which the server's own unique
// index tells apart, that have one canonical text.
func TestCanonicalTextIsOneToOne(t *testing.T) {
	const tries = 400
	onBoth(t, func(t *testing.T, s *site) {
		srv, err := server.Named(s.server.Name)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for typ := range keyTypes[s.server.Name] {
			names = append(names, typ)
		}
		slices.Sort(names)
		if s.postgres() && !s.server.AtLeast("postgres", 15, 0) {
			names = slices.DeleteFunc(names, func(typ string) bool { return typ == "numeric(10,-2)" }) // its scale is too small
		}
		r := rand.New(rand.NewPCG(1, 2))
		keys := 0
		for n, typ := range names {
			table := fmt.Sprintf("one%d", n)
			if _, err := s.bare.Exec("CREATE TABLE " + table + " (k " + typ + " PRIMARY KEY)"); err != nil {
				t.Fatalf("%s: %v", typ, err)
			}
			conn, err := s.bare.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			insert, end := "INSERT INTO ", " ON CONFLICT DO NOTHING"
			if !s.postgres() {
				insert, end = "INSERT IGNORE INTO ", ""
				if _, err := conn.ExecContext(t.Context(), "SET sql_mode = 'ALLOW_INVALID_DATES'"); err != nil {
					t.Fatal(err)
				}
			}
			for range tries {
				_, _ = conn.ExecContext(t.Context(), insert+table+" (k) VALUES ("+keyTypes[s.server.Name][typ](r)+")"+end) // what does not fit is not stored
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			keys += oneToOne(t, s, srv, table, typ)
		}
		s.want("0", "SELECT count(*) FROM people WHERE ssn IS NOT NULL")
		if want := len(keyTypes[s.server.Name]) - 1; len(names) < want || keys < 20*want {
			t.Errorf("looked at %d keys of %d types", keys, len(names))
		}
	})
}

// oneToOne reads the keys of a table as the planner has them read.
func oneToOne(t *testing.T, s *site, srv server.Server, table, typ string) int {
	rel, err := srv.Relation(t.Context(), s.bare, "", table)
	if err != nil {
		t.Fatal(err)
	}
	column := &server.Column{RelationColumn: rel.Columns[0], Key: srv.KeyType(rel.Columns[0])}
	text := "k"
	if !s.postgres() {
		before, after := exactText(column.RelationColumn)
		text = before + "k" + after
	}
	seen := map[string]any{}
	rows, err := s.bare.Query("SELECT " + text + " FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		canonical, err := srv.Values(server.Session{}, nil, nil).Shown(column, v)
		if err != nil {
			t.Errorf("%s: a stored key has no canonical text: %q: %v", typ, v, err)
			continue
		}
		if other, twice := seen[canonical]; twice {
			t.Errorf("%s: %q and %q have one canonical text, %q", typ, other, v, canonical)
		}
		seen[canonical] = v
	}
	if err := rows.Err(); err != nil || len(seen) == 0 {
		t.Errorf("%s: %d keys, %v", typ, len(seen), err)
	}
	return len(seen)
}

func exactText(c sqlplan.RelationColumn) (before, after string) {
	return plannermysql.ExactText(c.Type)
}
