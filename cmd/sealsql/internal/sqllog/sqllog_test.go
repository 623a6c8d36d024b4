package sqllog

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestLogsOfRealServers reads what Postgres 15, MariaDB 10.11 and MySQL 9.7 wrote.
func TestLogsOfRealServers(t *testing.T) {
	const insert = "INSERT INTO people\n  VALUES (1,\n'a;b\n# not a header')"
	ofPostgres := []string{"SELECT 1;", "SELECT id\n  FROM people WHERE ssn = 'a,\"b';", "PREPARE p AS SELECT $1::int;", "EXECUTE p(4);", "SELECT nope;",
		"SELECT id FROM pg_class WHERE relname = $1 ", "SELECT 7 +\n $1::int"}
	ofGeneral := []string{"SET GLOBAL slow_query_log=ON", "SET GLOBAL long_query_time=0", "CREATE TABLE people (id int primary key, ssn varbinary(600))",
		insert, "UPDATE people SET ssn = ? WHERE id = ?", "SELECT nope"}
	ofSlow := []string{"CREATE TABLE people (id int primary key, ssn varbinary(600))", insert, "UPDATE people SET ssn = 'x' WHERE id = 1", "SELECT nope"}
	cases := []struct {
		file   string
		format Format
		want   []string
	}{
		{"postgres.csv", CSV, ofPostgres},
		{"postgres.json", JSON, ofPostgres},
		{"mariadb-general.log", General, ofGeneral},
		{"mysql-general.log", General, ofGeneral},
		{"mariadb-slow.log", Slow, ofSlow},
		{"mysql-slow.log", Slow, ofSlow},
		{"texts.json", JSON, []string{"SELECT 1", "SELECT id\n  FROM people", "UPDATE people SET ssn = $1"}},
	}
	for _, c := range cases {
		data, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(strings.NewReader(string(data)))
		format, err := Detect(r)
		if err != nil || format != c.format {
			t.Errorf("%s: taken for %q, %v", c.file, format, err)
			continue
		}
		var got []string
		lines := strings.Split(string(data), "\n")
		err = Read(r, format, func(s Statement) error {
			got = append(got, s.Text)
			begins, _, _ := strings.Cut(s.Text, "\n")
			if unquoted := strings.NewReplacer(`""`, `"`, `\"`, `"`).Replace(lines[s.Line-1]); !strings.Contains(unquoted, begins) {
				t.Errorf("%s: line %d does not begin %q", c.file, s.Line, begins)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s, %v:\n got %q\nwant %q", c.file, err, got, c.want)
		}
	}
	if len(cases) != 7 {
		t.Errorf("%d logs were read", len(cases))
	}
}

func TestAnUnknownLogIsAnError(t *testing.T) {
	for name, text := range map[string]string{"prose": "once upon a time\n", "a dump": "-- MySQL dump\nCREATE TABLE t (a int);\n"} {
		if f, err := Detect(bufio.NewReader(strings.NewReader(text))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is taken for %q, %v", name, f, err)
		}
	}
	for name, c := range map[string]struct {
		format Format
		text   string
	}{
		"a line that is no JSON":      {JSON, "{\n"},
		"a statement that is no text": {JSON, `{"sql": 4}` + "\n"},
		"a short line of CSV":         {CSV, "a,b\n"},
		"a format":                    {"stderr", ""},
	} {
		if err := Read(strings.NewReader(c.text), c.format, func(Statement) error { return nil }); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadStopsWhenYieldFails(t *testing.T) {
	stop := errors.New("stop")
	for _, f := range Formats() {
		text := map[Format]string{JSON: "\"a\"\n\"b\"\n", CSV: strings.Repeat("1,,,,,,,,,,,,LOG,\"statement: a\"\n", 2),
			General: "\t\t 1 Query\ta\n\t\t 1 Query\tb\n", Slow: "# Time: 1\na;\n# Time: 2\nb;\n"}[f]
		n := 0
		text = strings.ReplaceAll(text, "LOG,", "00000,")
		if err := Read(strings.NewReader(text), f, func(Statement) error { n++; return stop }); err != stop || n != 1 {
			t.Errorf("%s: %v after %d", f, err, n)
		}
	}
}
