package sqlplan

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// Rules is what the planner needs of the policy. Its fields are immutable. The
// planners of one policy share it, and with it what their texts attach to
// protected tables.
type Rules struct {
	Tables []*Table
	Views  []View
	// MaxText is the longest text analysed, in bytes; MaxDepth the deepest
	// nesting. A longer or deeper text that names a protected table is refused.
	MaxText  int
	MaxDepth int
	DDL      DDLMode

	attached attachments
}

// DDLMode says what becomes of DDL on protected columns.
type DDLMode uint8

// The modes.
const (
	DDLRewrite DDLMode = iota // it is carried over to ciphertexts and terms
	DDLRefuse                 // what makes the server work with a protected column is refused
	DDLSend                   // it is sent as it is, but for values of protected columns
)

// CheckNames returns an error that lists the names of the rules which fits
// rejects: the server would read them as other names, and what they are meant to
// protect would go in clear.
func (r *Rules) CheckNames(fits func(name string) bool, limit string) error {
	var bad []string
	check := func(what string, names ...string) {
		for _, n := range names {
			if n != "" && !fits(n) {
				bad = append(bad, what+" "+strconv.Quote(n))
			}
		}
	}
	for _, t := range r.Tables {
		check("schema", t.Schema)
		check("table", t.Name)
		for _, c := range t.Columns {
			check("column", c.Name)
		}
		check("column", t.Sources...)
	}
	for _, v := range r.Views {
		check("schema", v.Schema)
		check("view", v.Name)
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("sealsql: the policy names what no %s can be called: %s; write the name as the server has it", limit, strings.Join(bad, ", "))
}

// Table is a protected table.
type Table struct {
	// Schema is empty if the policy's table has none: it then means the table
	// of that name in every schema.
	Schema, Name string
	RowKey       []string
	Columns      []*Column
	// Sources are the columns that any protected column's context or term draws on,
	// row key first, each once. The column of its term stands in the place of a row key
	// that is itself protected, here and in RowKey.
	Sources []string
	// MaxRows bounds the rows of one row-by-row statement.
	MaxRows int
}

// Column is a protected column.
type Column struct {
	Table *Table
	Name  string
	// Context lists the indexes in Table.Sources that this column's
	// encryption context draws on.
	Context []int
	// Legacy lists further sources, which only values from before sealsql draw
	// on: they are read beside such values, and writes need not give them.
	Legacy []int
	// Base64 is true if the value is stored as base64 text.
	Base64 bool
	// Paths are the protected paths of a column of JSON documents, which stay JSON; nil for
	// a column that is protected as a whole.
	Paths []DocumentPath
	// Within are the paths that lead to those of Paths, the root among them.
	Within []DocumentPath
	// Terms are the paths of the equality terms of Paths, which no text may name.
	Terms []jsondoc.Path
	// Of is the column of documents whose part the column is, where a result shows a part
	// by itself; nil for a column of a table. Text is true if the part is shown as text.
	Of   *Column
	Text bool
	// Type is the policy's type of the plaintexts.
	Type string
	// Default is a constant that DDL may give as the column's default beside the empty
	// string; nil if there is none.
	Default *string
	// Empty are the shapes of the ciphertexts of an empty value; nil if they cannot be told
	// from others.
	Empty []EmptyShape
	// Term is the column's equality term; nil for a column that cannot be searched.
	Term *Term
	// Other is a second term that every write of the column fills as well, while terms
	// move to another key: see [TermOther]. No statement asks for it. It is mostly nil.
	Other *Term
}

// Reads are all sources that a stored value may draw on.
func (c *Column) Reads() []int { return slices.Concat(c.Context, c.Legacy) }

// View is a view that shows a protected table's columns under their own names. A
// view of the policy that does not is refused where the catalog shows its query.
type View struct {
	Schema, Name string
	Table        *Table
}

// Catalog tells what the live database says of a relation. Implementations are
// safe for concurrent use.
type Catalog interface {
	// Relation describes the relation that the name means on this connection;
	// schema is empty for an unqualified name. It returns nil and no error if
	// there is no such relation.
	Relation(ctx context.Context, schema, name string) (*Relation, error)
	// Readers lists the views that read a protected column, directly or through
	// other views, whether or not the policy lists them, and the partitions of
	// protected tables. It reads nothing: the
	// list is kept fresh in the background.
	Readers() []*Relation
	// Version changes whenever a relation was found to have changed.
	Version() uint64
}

// Relation is a table or view as the catalog shows it.
type Relation struct {
	Schema, Name string
	View         bool
	Columns      []RelationColumn
	UniqueKeys   []UniqueKey
	// KeysKnown is true if UniqueKeys are all that the table has, as the live catalog
	// shows them.
	KeysKnown bool `json:"-"`
	// Spelled holds, by the names of columns that the policy writes in another case than
	// the table, the table's spelling. It is nil where the server tells cases apart.
	Spelled map[string]string `json:"-"`
	// Indexes are the names of the indexes that are not unique, where names of indexes
	// belong to their table; a name stands there once for each of its columns.
	Indexes []string `json:"-"`
	// Children names a table that inherits from the table and is not a partition of it.
	Children string `json:",omitempty"`
	// Incomplete relations have columns that Columns does not list.
	Incomplete bool
	// Witness is what in the table notices that a row which was just inserted is
	// updated: "an UPDATE trigger", "system versioning"; empty for nothing.
	Witness string `json:",omitempty"`
	// InsertTrigger is true if an INSERT trigger sees each row as it is inserted.
	InsertTrigger bool `json:",omitempty"`
	// Lasting is what an INSERT leaves behind that is undone, beside the AUTO_INCREMENT
	// values that it used; empty for nothing.
	Lasting string `json:",omitempty"`
	// Definition is a view's query, as the server writes it; empty if the catalog
	// does not show it.
	Definition string `json:"-"`
	// ReadsProtected is [Unseen], or names "table.column" of a protected column that the view
	// reads, directly or through other views; empty for none.
	ReadsProtected string
}

// Unseen stands in ReadsProtected of a view whose definition, or that of a view beneath it,
// the server does not show to the account: it could read anything.
const Unseen = "?"

// Same reports whether two relations mean the same to a plan; nil is no relation.
// ReadsProtected is not compared: it depends on the policy.
func (r *Relation) Same(other *Relation) bool {
	if r == nil || other == nil {
		return r == other
	}
	a, b := *r, *other
	a.ReadsProtected, b.ReadsProtected = "", ""
	return reflect.DeepEqual(a, b)
}

// UniqueKey is a unique index or constraint.
type UniqueKey struct {
	Name    string
	Columns []string // empty entries stand for expressions
	Primary bool
	Partial bool
	// Exclusion constraints compare by other operators than equality.
	Exclusion bool `json:",omitempty"`
}

// UserType says of a column's type that it is of the user's making.
type UserType struct {
	// Domain is the domain that the column's type is, with its schema; empty for none.
	Domain string `json:"-"`
	// Enum is true for Postgres's enumerations.
	Enum bool `json:",omitempty"`
}

// RelationColumn is a column of a relation, in the order of SELECT *.
type RelationColumn struct {
	Name string
	// Type is the server's name of the type, without modifiers: "bigint",
	// "character varying", "varchar", "uuid".
	Type string
	// Full is the type with its modifiers, as the server writes it:
	// "numeric(10,2)", "datetime(3)", "enum('a','b')"; empty if not known.
	Full string `json:",omitempty"`
	UserType
	NotNull bool
	// OnUpdate is true if an UPDATE that does not set the column changes it.
	OnUpdate bool   `json:",omitempty"`
	Default  string // the default's SQL text, "" for none (NULL)
	Identity string // "", "always", "by default"
	// AutoIncrement is MySQL's AUTO_INCREMENT.
	AutoIncrement bool
	// Generated columns are computed from others, by Expression if it is known.
	Generated  bool
	Expression string `json:",omitempty"`
	// Invisible columns are left out of SELECT *.
	Invisible bool
	// Charset is the character set of a MySQL text column, "" if it is not known.
	Charset string `json:",omitempty"`
	// Folded is true for a collation under which letters that differ compare equal.
	Folded bool `json:"-"`
	// Inexact is true if two values that compare equal may differ as text
	// (case-insensitive or padded collations, citext).
	Inexact bool
}
