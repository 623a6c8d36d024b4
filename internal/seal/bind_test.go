package seal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/mysql"
	"github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// servers are the value rules of each server.
var servers = map[string]server.Server{"Postgres": postgres.Server{}, "MySQL": mysql.Server{}}

// TestSourcesBecomeCanonicalText binds the column ssn to rows whose account is a column
// of another type in each case. What is sealed for a row must open for it in whatever Go
// type the driver shows its key.
func TestSourcesBecomeCanonicalText(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	cases := []struct {
		name   string
		key    server.KeyType
		source seal.Source
		want   string // empty: rejected
	}{
		{"a text given is itself", server.KeyText, seal.Source{Value: "A1 ", From: seal.Given}, "A1 "},
		{"a text shown as bytes is itself", server.KeyText, seal.Source{Value: []byte("A1 "), From: seal.Shown}, "A1 "},
		{"a padded text loses its padding", server.KeyPaddedText, seal.Source{Value: "A1  ", From: seal.Shown}, "A1"},
		{"an int given is decimal digits", server.KeyInteger, seal.Source{Value: 7, From: seal.Given}, "7"},
		{"an int64 shown is decimal digits", server.KeyInteger, seal.Source{Value: int64(7), From: seal.Shown}, "7"},
		{"an integer given as a text is decimal digits", server.KeyInteger, seal.Source{Value: "007", From: seal.Given}, "7"},
		{"an integer shown as bytes is decimal digits", server.KeyInteger, seal.Source{Value: []byte("7"), From: seal.Shown}, "7"},
		{"0 shown as bytes", server.KeyInteger, seal.Source{Value: []byte("0"), From: seal.Shown}, "0"},
		{"a negative integer", server.KeyInteger, seal.Source{Value: []byte("-7"), From: seal.Shown}, "-7"},
		{"-0 is 0", server.KeyInteger, seal.Source{Value: "-0", From: seal.Given}, "0"},
		{"an integer loses its spaces", server.KeyInteger, seal.Source{Value: " 12 ", From: seal.Given}, "12"},
		{"an integer of 18 digits", server.KeyInteger, seal.Source{Value: "999999999999999999", From: seal.Shown}, "999999999999999999"},
		{"an integer of 20 digits", server.KeyInteger, seal.Source{Value: "18446744073709551615", From: seal.Shown}, "18446744073709551615"},
		{"digits that are not ASCII are rejected", server.KeyInteger, seal.Source{Value: "1٢", From: seal.Given}, ""},
		{"a numeric loses the zeros behind its point", server.KeyNumeric, seal.Source{Value: "7.50", From: seal.Given}, "7.5"},
		{"a UUID is in lower case", server.KeyUUID, seal.Source{Value: "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", From: seal.Given}, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"bytes are hexadecimal", server.KeyBytes, seal.Source{Value: []byte{0xAB, 1}, From: seal.Shown}, "ab01"},
		{"a time with a zone is in UTC on Postgres", server.KeyTimestampTZ, seal.Source{Value: noon, From: seal.Shown}, "2026-01-02T11:00:00Z"},
		{"a date has no time", server.KeyDate, seal.Source{Value: "2026-01-02", From: seal.Given}, "2026-01-02"},

		{"NULL is rejected", server.KeyText, seal.Source{Value: nil, From: seal.Given}, ""},
		{"nil bytes are rejected", server.KeyText, seal.Source{Value: []byte(nil), From: seal.Shown}, ""},
		{"a text that is no UTF-8 is rejected", server.KeyText, seal.Source{Value: "a\xff", From: seal.Given}, ""},
		{"a word for an integer is rejected", server.KeyInteger, seal.Source{Value: "seven", From: seal.Given}, ""},
		{"a column of an unsupported type is rejected", server.KeyUnsupported, seal.Source{Value: "x", From: seal.Given}, ""},
		{"0 is rejected where the server makes a key in its place", server.KeyInteger, seal.Source{Value: 0, From: seal.Given, NotZero: true}, ""},
	}
	c := newFixture(t).column("ssn")
	ran := 0
	for serverName, s := range servers {
		rules := s.Values(server.Session{}, nil, nil)
		for _, tt := range cases {
			if strings.HasSuffix(tt.name, "on Postgres") && serverName != "Postgres" {
				continue // MySQL's columns have no zone
			}
			ran++
			shape := textShape(c)
			shape.Sources[1] = server.Column{RelationColumn: sqlplan.RelationColumn{Name: "account"}, Key: tt.key}
			r := seal.MakeRow(len(c.Table.Sources))
			err := c.Bind(r, shape, rules, false, func(i int) (seal.Source, error) {
				if i == 1 {
					return tt.source, nil
				}
				return seal.Source{Value: "t1", From: seal.Given}, nil
			})
			if tt.want == "" {
				source, ok := errors.AsType[*seal.SourceError](err)
				if !ok || source.Source != "account" || strings.Contains(err.Error(), "seven") {
					t.Errorf("%s: %s: %v", serverName, tt.name, err)
				}
				continue
			}
			if err != nil || r.Sources[1] != tt.want || !r.Known[0] || !r.Known[1] {
				t.Errorf("%s: %s: %q (%v), %v; want %q", serverName, tt.name, r.Sources, r.Known, err, tt.want)
			}
		}
	}
	if ran != 49 {
		t.Errorf("%d cases", ran)
	}
}

// TestAValueThatTheServerWouldChangeIsRejectedOnlyIfItIsWritten: a key that a WHERE
// clause compares may have any number of digits.
func TestAValueThatTheServerWouldChangeIsRejectedOnlyIfItIsWritten(t *testing.T) {
	full := map[string]string{"Postgres": "numeric(10,2)", "MySQL": "decimal(10,2)"}
	c := newFixture(t).column("ssn")
	ran := 0
	for name, s := range servers {
		for _, written := range []bool{true, false} {
			ran++
			shape := textShape(c)
			shape.Sources[1] = server.Column{RelationColumn: sqlplan.RelationColumn{Name: "account", Full: full[name]}, Key: server.KeyNumeric}
			err := c.Bind(seal.MakeRow(len(c.Table.Sources)), shape, s.Values(server.Session{}, nil, nil), false, func(i int) (seal.Source, error) {
				if i == 1 {
					return seal.Source{Value: "1.005", From: seal.Given, Written: written}, nil
				}
				return seal.Source{Value: "t1", From: seal.Given}, nil
			})
			if errors.Is(err, server.ErrNotExact) != written {
				t.Errorf("%s, written %v: %v", name, written, err)
			}
		}
	}
	if ran != 4 {
		t.Errorf("%d cases", ran)
	}
}

// TestWhatARowKnows says which sources are known after binding, and which sources a
// column asks for.
func TestWhatARowKnows(t *testing.T) {
	failing := errors.New("the row lacks it")
	f := newFixture(t)
	cases := []struct {
		name, column string
		legacy       bool
		given        []string // sources with a value
		fails        string   // the source that fails, if any
		known        []string
		wantErr      bool
	}{
		{"a whole row is known", "ssn", false, []string{"tenant", "account"}, "", []string{"tenant", "account"}, false},
		{"a source that is not in the context is not asked for", "ssn", false, []string{"tenant", "account", "region"}, "", []string{"tenant", "account"}, false},
		{"a context with a further column draws on it", "region_bound", false, []string{"tenant", "account", "region"}, "", []string{"tenant", "account", "region"}, false},
		{"an absent source is not known", "ssn", false, []string{"tenant"}, "", []string{"tenant"}, false},
		{"nothing is known of a row that shows nothing", "ssn", false, nil, "", nil, false},
		{"a source that fails is an error", "ssn", false, []string{"tenant"}, "account", nil, true},
		{"a source that fails is none of a column that does not draw on it", "ssn", true, []string{"tenant", "account"}, "region", []string{"tenant", "account"}, false},
	}
	for _, tt := range cases {
		c := f.column(tt.column)
		r := seal.MakeRow(len(c.Table.Sources))
		err := c.Bind(r, textShape(c), values(), tt.legacy, func(i int) (seal.Source, error) {
			switch name := c.Table.Sources[i]; {
			case name == tt.fails:
				return seal.Source{}, failing
			case slices.Contains(tt.given, name):
				return seal.Source{Value: "x", From: seal.Shown}, nil
			}
			return seal.Source{}, nil
		})
		if tt.wantErr {
			if !errors.Is(err, failing) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var known []string
		for i, is := range r.Known {
			if is {
				known = append(known, c.Table.Sources[i])
			}
		}
		if err != nil || !slices.Equal(known, tt.known) {
			t.Errorf("%s: known are %v, %v; want %v", tt.name, known, err, tt.known)
		}
	}
	if len(cases) != 7 {
		t.Errorf("%d cases", len(cases))
	}
}
