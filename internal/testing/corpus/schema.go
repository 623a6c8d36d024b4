package corpus

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// sealedTypes and twinTypes are what a schema's {type} stands for in the
// protected database and in its unprotected twin.
var sealedTypes, twinTypes = map[string]map[string]string{
	"postgres": {"string": "bytea", "base64": "text", "int64": "bytea", "float64": "bytea", "bool": "bytea", "timestamp": "bytea", "date": "bytea", "decimal": "bytea", "uuid": "bytea", "json": "bytea", "bytes": "bytea", "nocase": "bytea"},
	"mysql":    {"string": "blob", "base64": "text", "int64": "blob", "float64": "blob", "bool": "blob", "timestamp": "blob", "date": "blob", "decimal": "blob", "uuid": "blob", "json": "blob", "bytes": "blob", "nocase": "blob", "exact": "blob"},
}, map[string]map[string]string{
	"postgres": {"string": "text", "base64": "text", "int64": "bigint", "float64": "double precision", "bool": "boolean", "timestamp": "timestamptz", "date": "date", "decimal": "numeric", "uuid": "uuid", "json": "json", "bytes": "bytea", "nocase": "text COLLATE no_case"},
	"mysql":    {"string": "text", "base64": "text", "int64": "bigint", "float64": "double", "bool": "tinyint", "timestamp": "datetime(6)", "date": "date", "decimal": "decimal(20,4)", "uuid": "text", "json": "text", "bytes": "blob", "nocase": "text COLLATE utf8mb4_general_ci", "exact": "text COLLATE utf8mb4_bin"},
}

// alone finds what stands in one of the two schemas alone: {sealed:…} and {twin:…}.
var alone = regexp.MustCompile(`\{(sealed|twin):([^}]*)\}`)

// Schema returns the statements that make the corpus's tables: the protected
// ones, and their twins.
func Schema(dir, dialect string) (sealed, twin []string, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "schema."+dialect+".sql"))
	if err != nil {
		return nil, nil, err
	}
	for text := range strings.SplitSeq(string(data), ";\n") {
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "--") && !strings.Contains(text, "\n") {
			continue
		}
		sealed = add(sealed, fill(only(text, "sealed"), sealedTypes[dialect]))
		twin = add(twin, fill(only(text, "twin"), twinTypes[dialect]))
	}
	return sealed, twin, nil
}

// Newer returns what makes the tables that not every server of the dialect can have,
// and fills them: the statements that the server takes, which follow those of [Schema]
// and of the seed. A comment names the servers as a case's %servers does.
func Newer(dir, dialect string, atLeast func(product string, major, minor int) bool) (sealed, twin, seed []string, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "newer."+dialect+".sql"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil, nil
	case err != nil:
		return nil, nil, nil, err
	}
	for text := range strings.SplitSeq(strings.TrimSpace(string(data)), ";\n") {
		c := &Case{}
		if rest, ok := strings.CutPrefix(text, "-- servers: "); ok {
			servers, statement, _ := strings.Cut(rest, "\n")
			if c.servers, err = parseServers(servers); err != nil {
				return nil, nil, nil, err
			}
			text = statement
		}
		switch {
		case !c.Taken(atLeast):
		case strings.HasPrefix(text, "INSERT"):
			seed = append(seed, text)
		default:
			sealed, twin = append(sealed, fill(text, sealedTypes[dialect])), append(twin, fill(text, twinTypes[dialect]))
		}
	}
	return sealed, twin, seed, nil
}

func add(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

// only takes out what stands in the other schema alone.
func only(text, which string) string {
	return alone.ReplaceAllStringFunc(text, func(s string) string {
		if m := alone.FindStringSubmatch(s); m[1] == which {
			return m[2]
		}
		return ""
	})
}

func fill(text string, types map[string]string) string {
	for name, t := range types {
		text = strings.ReplaceAll(text, "{"+name+"}", t)
	}
	return text
}

// emptyMessage is the shape of an empty message, as package seal knows it.
var emptyMessage = sqlplan.EmptyShape{Tail: []byte("\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"), Before: 40}

// Rules are a policy's rules as the planner takes them.
func Rules(p *policy.Policy) *sqlplan.Rules {
	r := &sqlplan.Rules{}
	for _, t := range p.Tables() {
		table := &sqlplan.Table{Schema: t.Schema, Name: t.Name, RowKey: t.RowKey, MaxRows: t.MaxRowsPerStatement}
		table.Sources = append(table.Sources, t.RowKey...)
		for _, c := range t.Columns {
			col := &sqlplan.Column{Table: table, Name: c.Name, Base64: c.Storage == policy.Base64, Type: string(c.Type)}
			col.Empty = []sqlplan.EmptyShape{emptyMessage}
			for _, x := range c.Context {
				if x.Source != "" {
					col.Context = append(col.Context, source(table, x.Source))
				}
			}
			table.Columns = append(table.Columns, col)
		}
		r.Tables = append(r.Tables, table)
	}
	for _, v := range p.Views() {
		for i, t := range p.Tables() {
			if name := strings.TrimPrefix(t.Schema+"."+t.Name, "."); name == v.Table {
				r.Views = append(r.Views, sqlplan.View{Schema: v.Schema, Name: v.Name, Table: r.Tables[i]})
			}
		}
	}
	return r
}

func source(t *sqlplan.Table, name string) int {
	for i, s := range t.Sources {
		if s == name {
			return i
		}
	}
	t.Sources = append(t.Sources, name)
	return len(t.Sources) - 1
}
