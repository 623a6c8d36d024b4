package sqlplan

import "slices"

// This file is the statement tree that the dialects translate into. It keeps
// what resolution, lineage and edits need and nothing else. Rules for those
// who fill it in:
//
//   - Identifiers are folded as the server folds them (Postgres: lower case
//     unless quoted; MySQL: as written, compared by Dialect.SameTable and
//     Dialect.SameColumn).
//   - Every Span holds byte offsets in the original text. Spans of
//     parameters, literals, NULL, DEFAULT and casts of them are exact and
//     take in parentheses around them; those of column references, and of casts and
//     calls of one, are exact. Of other nodes at least Start is near.
//   - What a dialect cannot express becomes [Unknown] (or a [Utility] of kind
//     [UtilityUnknown]); its children are still listed, so that names in
//     it are seen. An Unknown with a protected table in reach is refused.

// Script is a text of one or more statements.
type Script struct {
	Text       string
	Statements []Statement
	// Params lists every placeholder of the text in the order it stands
	// there. NumParams is how many arguments the user passes.
	Params    []ParamSite
	NumParams int
	// Unread are expressions and tables that the parser found in the text and
	// that stand in none of Statements: a part of the syntax that the dialect
	// does not translate. A text that has any and touches a protected table is
	// refused.
	Unread       []Expr
	UnreadTables []*TableRef
	// Apart are the texts of Statements; nil if there is but one, or if they cannot be sent
	// one after the other.
	Apart *Apart
}

// ParamSite is one placeholder. Index is 0-based: $3 has Index 2, the third ?
// has Index 2.
type ParamSite struct {
	Index int
	Span  Span
}

// The four syntax interfaces are sealed: nodes.go lists the types of each, with
// what the type is made of.

// Statement is a [*Query], [*Insert], [*Update], [*Delete], [*Merge] or [*Utility].
type Statement interface {
	At() Span
	statement()
}

// At returns the span itself; nodes embed Span and so implement their interfaces.
func (s Span) At() Span { return s }

// Expr is a scalar expression.
type Expr interface {
	At() Span
	// operands yields the expressions that this one is made of; nil for an
	// operand that is left out. Sub-selects are not among them.
	operands(yield func(Expr))
}

// ColumnRef is a reference to a column, or a star.
type ColumnRef struct {
	Span
	// Qualifier is what stands before the name: nothing, [table] or
	// [schema, table].
	Qualifier []string
	Name      string
	Star      bool
}

// Param is a placeholder of the user's text.
type Param struct {
	Span
	Index int // 0-based
}

// Constant is a literal.
type Constant struct {
	Span
	Value Literal
}

// Null is the literal NULL.
type Null struct{ Span }

// Default is the keyword DEFAULT as a value.
type Default struct {
	Span
	// Constant is the column's default, where the rules take it as given.
	Constant *Literal
}

// Cast is a conversion. Type is the type's name in the spelling of
// [RelationColumn.Type] where the dialect knows it, in lower case. Plain is
// false if the type has modifiers, is an array, or may change the value
// in a way that the dialect cannot exclude. Typed is true if the cast only says
// which type a value has whose text the policy's type reads: $1::date. Array is true
// for a cast to an array of Type that would be Plain for each element.
type Cast struct {
	Span
	Expr                Expr
	Type                string
	Plain, Typed, Array bool
}

// Each stands for the elements of Array, an array that an argument gives: a row for each.
// The rules make it of unnest; no dialect does.
type Each struct {
	Span
	Array Expr
}

// IsNull is IS NULL, or IS NOT NULL if Not is set.
type IsNull struct {
	Span
	Expr Expr
	Not  bool
}

// Call is a function call. Name is folded; Schema is what qualifies it.
type Call struct {
	Span
	Schema, Name string
	Args         []Expr
	Distinct     bool
	Star         bool // count(*)
	// Rest are FILTER, ORDER BY, WITHIN GROUP and what OVER has beside PARTITION BY.
	Rest []Expr
	// Partition is PARTITION BY.
	Partition []Expr
	// Windowed is true if the call has OVER.
	Windowed bool
	// ArgsEnd is the offset of the closing parenthesis, if known.
	ArgsEnd int
}

// Case is CASE. Arg is nil for the form without one; ArgSpan covers its text.
type Case struct {
	Span
	Arg     Expr
	ArgSpan Span
	Whens   []When
	Else    Expr
}

// When is one branch of a [Case]. CondSpan covers the text of Cond.
type When struct {
	Cond, Result Expr
	CondSpan     Span
}

// Row is a row value: ROW(a, b), (a, b).
type Row struct {
	Span
	Items []Expr
}

// Field takes a field of a composite value: (a).ssn, or (a).* if Star.
type Field struct {
	Span
	Expr Expr
	Name string
	Star bool
}

// SubKind says what a sub-select is used as.
type SubKind uint8

// The kinds of sub-select.
const (
	SubScalar SubKind = iota + 1
	SubExists
	SubIn    // Test IN (query), and every other comparison with a query
	SubArray // ARRAY(query)
)

// Sub is a sub-select in an expression.
type Sub struct {
	Span
	Kind  SubKind
	Test  Expr // SubIn
	Query *Query
	// Equal is true for a SubIn that compares Test for equality: IN, = ANY, <> ALL and
	// their kin. Found is true for IN and = ANY.
	Equal, Found bool
}

// ValuesRef is MySQL's VALUES(column) in ON DUPLICATE KEY UPDATE.
type ValuesRef struct {
	Span
	Column string
}

// The operators that the rules look into. Every other operator has any other
// text in Op.What.
const (
	OpAnd     = "AND"
	OpOr      = "OR"
	OpNot     = "NOT"
	OpEqual   = "="      // the server's own equality, two operands
	OpIn      = "IN"     // the first operand compared for equality with the others
	OpUnequal = "<>"     // also spelled !=
	OpNotIn   = "NOT IN" // where it is not the negation of OpIn
	// OpSame and OpDistinct compare NULL as a value: IS [NOT] DISTINCT FROM, <=>.
	OpSame     = "IS NOT DISTINCT FROM"
	OpDistinct = "IS DISTINCT FROM"
	// OpAny and OpAll compare the first operand with the elements of an array for
	// equality: = ANY, <> ANY, = ALL, <> ALL. OpAny is = ANY alone, OpAll the others.
	OpAny   = "= ANY"
	OpAll   = "<> ALL"
	OpArray = "ARRAY" // an array of the operands

	OpSubscript = "subscript" // x[y]
)

// Op is an operator, or any construct that computes from its operands.
type Op struct {
	Span
	What     string
	Operands []Expr
}

// Unknown is a construct that the dialect does not know.
type Unknown struct {
	Span
	What     string
	Children []Expr
}

// TableExpr is a [*TableRef], [*Derived], [*Join] or [*TableFunction].
type TableExpr interface {
	At() Span
	tableExpr()
}

// TableRef is a table, view or CTE named in FROM or as a target.
type TableRef struct {
	Span          // the name and, where known, the alias
	Schema, Name  string
	Alias         string
	ColumnAliases []string
	// ColumnAliasesEnd is the offset of the parenthesis that closes ColumnAliases.
	ColumnAliasesEnd int
	// NameSpan is the name with its schema, without alias.
	NameSpan Span
	// Unsupported names a decoration that the rules know nothing about
	// (TABLESAMPLE is known and not listed), else "".
	Unsupported string
}

// Derived is a sub-select in FROM. Query may be a [*Values] body.
type Derived struct {
	Span
	Query            *Query
	Alias            string
	ColumnAliases    []string
	ColumnAliasesEnd int
	Lateral          bool
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. CROSS JOIN is an inner join without a condition.
const (
	JoinInner JoinKind = iota + 1
	JoinLeft
	JoinRight
	JoinFull
)

// Join is a join.
type Join struct {
	Span
	Kind        JoinKind
	Left, Right TableExpr
	Natural     bool
	Using       []string
	On          Expr
	// Alias names the join as a whole and hides the names within
	// (Postgres); UsingAlias names only the merged columns.
	Alias, UsingAlias string
	ColumnAliases     []string
}

// TableFunction is a function or other computed source in FROM.
type TableFunction struct {
	Span
	Name          string
	Args          []Expr
	Alias         string
	ColumnAliases []string
	// Columns are the columns' names if the dialect knows exactly how many
	// columns the function returns, else nil.
	Columns []string
	Lateral bool
	// Arrays are the arrays that the first columns are the elements of, if every function is
	// unnest. ArraysEnd is where a further array is added, AliasSpan the alias with its list,
	// empty where there is none.
	Arrays    []Expr
	ArraysEnd int
	AliasSpan Span
}

// With is a WITH clause.
type With struct {
	Span
	Recursive bool
	CTEs      []*CTE
}

// CTE is one query of a WITH clause.
type CTE struct {
	Span
	Name       string
	Columns    []string
	ColumnsEnd int // the offset of the parenthesis that closes Columns
	Body       Statement
	// Extra are expressions of SEARCH and CYCLE clauses; ExtraColumns are the
	// columns those clauses add at the end.
	Extra        []Expr
	ExtraColumns []string
}

// Query is a SELECT with everything around it, also as VALUES, TABLE or a set operation.
type Query struct {
	Span
	With *With
	Body QueryBody
	// OrderBy and Limits (LIMIT, OFFSET, FETCH) apply to the whole Body.
	OrderBy []Expr
	Limits  []Expr
	// Limited is true if the query has LIMIT, OFFSET or FETCH. Pages is true if Count and
	// Offset, which stand in the text, are all that they say.
	Limited, Pages bool
	Count, Offset  Expr
	// Locking is true for FOR UPDATE and its kin.
	Locking bool
	// Parens is true if the query stands in parentheses of its own.
	Parens bool
}

// QueryBody is a [*Select], [*SetOp], [*Values] or a nested [*Query].
type QueryBody interface {
	At() Span
	queryBody()
}

// Select is one SELECT.
type Select struct {
	Span
	Distinct   bool
	DistinctOn []Expr
	Targets    []Target
	// TargetsEnd is the offset just after the last target (after SELECT and
	// its modifiers if there is none): where a further target is added. A
	// negative value says that none can be added.
	TargetsEnd int
	From       []TableExpr
	Where      Expr
	GroupBy    []Expr
	// Regrouped are the entries of GroupBy that ROLLUP, CUBE or GROUPING SETS
	// make NULL in some rows.
	Regrouped []Expr
	Having    Expr
	// Windows are the expressions of the WINDOW clause.
	Windows []Expr
	// Into is true for SELECT … INTO (table, variable or file); IntoName is
	// the relation, if it is one.
	Into     bool
	IntoName *TableRef
	// Table is true for the TABLE name form, to which no target can be added.
	Table bool
}

// Target is an entry of a select list or of RETURNING.
type Target struct {
	Span
	Expr  Expr
	Alias string // "" for none
	// Name is the column's name as the server will return it when Alias is
	// empty, or "" where the dialect does not know it. Columns need none.
	Name string
}

// SetOpKind is the kind of a set operation.
type SetOpKind uint8

// The set operations.
const (
	SetUnion SetOpKind = iota + 1
	SetIntersect
	SetExcept
)

// SetOp is UNION, INTERSECT or EXCEPT.
type SetOp struct {
	Span
	Kind        SetOpKind
	All         bool
	Left, Right *Query
}

// Values is VALUES (…), (…) as a query or a FROM source.
type Values struct {
	Span
	Rows []ValuesRow
	// Unnamed is true if the server names the columns by the first row's texts, which may
	// be values (MariaDB).
	Unnamed bool
}

// ValuesRow is one parenthesised row of values.
type ValuesRow struct {
	Span
	Values []Expr
	// End is the offset of the closing parenthesis: where a further value is
	// added.
	End int
	// Selected is true for the row of a SELECT, whose values have types of their own.
	Selected bool
	// Cells are the exact spans of Values in an INSERT's row, if it [Computes].
	Cells []Span
}

// Computes reports whether one of a row's values is more than a parameter, a literal or a
// cast that keeps it.
func Computes(values []Expr) bool {
	return slices.ContainsFunc(values, func(e Expr) bool {
		switch e := e.(type) {
		case *Default:
			return false
		case *Cast:
			return !e.Plain || !leaf(e)
		}
		return !leaf(e)
	})
}

// Insert is INSERT or REPLACE.
type Insert struct {
	Span
	With    *With
	Replace bool // MySQL's REPLACE
	Ignore  bool // MySQL's INSERT IGNORE
	Target  *TableRef
	// Columns is nil if the statement has no column list.
	Columns []InsertColumn
	// Overriding is "", "system" or "user".
	Overriding string
	InsertSource
	// RowAlias and RowColumns are MySQL's VALUES (…) AS new(a, b).
	RowAlias   string
	RowColumns []string
	Conflict   *Conflict
	Returning  *Returning
	InsertPlaces
}

// InsertSource is what an INSERT inserts: one of Rows, Query and DefaultValues.
type InsertSource struct {
	// SourceStart is the offset where VALUES, SELECT or DEFAULT VALUES begins.
	SourceStart int
	Rows        []ValuesRow
	// SetForm is true for MySQL's INSERT … SET a = 1: Columns and one Row hold the
	// assignments, and the Row's End is where a further assignment is added.
	SetForm       bool
	Query         *Query
	DefaultValues bool
	// DefaultValuesSpan is the clause DEFAULT VALUES.
	DefaultValuesSpan Span
}

// InsertPlaces are the places of an INSERT's clauses in the text.
type InsertPlaces struct {
	// TargetEnd is the offset just after the target and its alias: where a
	// column list is added.
	TargetEnd int
	// ColumnsEnd is the offset of the parenthesis that closes the column list.
	ColumnsEnd int
	// OverridingSpan is the clause OVERRIDING.
	OverridingSpan Span
	// RowColumnsEnd is the offset of the parenthesis that closes RowColumns.
	RowColumnsEnd int
}

// InsertColumn is an entry of an INSERT's column list.
type InsertColumn struct {
	Span
	Name string
	// Plain is false if a field or an element of the column is meant; Subscripts
	// are the expressions that say which element.
	Plain      bool
	Subscripts []Expr
}

// ConflictKind says what an INSERT does when a unique key is taken.
type ConflictKind uint8

// The kinds. REPLACE and INSERT IGNORE are flags of [Insert].
const (
	ConflictDoNothing ConflictKind = iota + 1
	ConflictDoUpdate
	ConflictDuplicateKeyUpdate
)

// Conflict is ON CONFLICT or ON DUPLICATE KEY UPDATE.
type Conflict struct {
	Span
	Kind ConflictKind
	// Columns are the inferred columns, "" for an expression, which is then in
	// ColumnExprs. ColumnSpans are their places, with COLLATE and operator class. Exprs has
	// the index predicate.
	Columns     []string
	ColumnSpans []Span
	ColumnExprs []Expr
	Exprs       []Expr
	// Partial is true if the target has a predicate.
	Partial    bool
	Constraint string
	Set        []Assignment
	Where      Expr
}

// Assignment is one column = value. The dialect splits (a, b) = (x, y) into
// several; where the right side cannot be split, Columns has several entries.
type Assignment struct {
	Span
	Columns []AssignTarget
	Value   Expr
	// First is the offset just before the assignment, or before the tuple that it is
	// part of, where "b = y, " is added.
	First int
	// Last is the offset just after the assignment, where ", b = y" is added.
	Last int
	// Grouped is true for a part of a tuple assignment: nothing can be
	// added after it by a comma.
	Grouped bool
}

// AssignTarget is the left side of an assignment.
type AssignTarget struct {
	Span
	Qualifier []string
	Name      string
	// Plain is false if a field or an element of the column is meant; Subscripts
	// are the expressions that say which element.
	Plain      bool
	Subscripts []Expr
}

// Returning is RETURNING.
type Returning struct {
	Span
	Targets []Target
	// TargetsEnd is the offset just after the last target.
	TargetsEnd int
	// Old and New name the row as it was and as it becomes (Postgres 18); empty
	// where the dialect has no such names.
	Old, New string
}

// Update is UPDATE.
type Update struct {
	Span // ends before a trailing semicolon
	With *With
	// Targets holds the table, or MySQL's table references of a multi-table
	// UPDATE.
	Targets []TableExpr
	Set     []Assignment
	From    []TableExpr // Postgres's FROM
	Where   Expr        // nil for none
	// CurrentOf is true for WHERE CURRENT OF cursor.
	CurrentOf bool
	OrderBy   []Expr
	Limits    []Expr
	Returning *Returning
	// Ignore is MySQL's UPDATE IGNORE.
	Ignore bool
	UpdatePlaces
}

// UpdatePlaces are the places of an UPDATE's clauses in the text.
type UpdatePlaces struct {
	// TargetSpan covers the targets, SetSpan the assignments, FromSpan the items of
	// FROM, WhereSpan the condition.
	TargetSpan, SetSpan, FromSpan, WhereSpan Span
	// WhereAt is the offset where " WHERE …" goes if there is no WHERE.
	WhereAt int
	// OrderSpan and LimitSpan cover the clauses with their keywords.
	OrderSpan, LimitSpan Span
}

// Delete is DELETE.
type Delete struct {
	Span
	With *With
	// Targets are the tables deleted from, by the name they have in From
	// where From repeats them (MySQL's multi-table form).
	Targets []*TableRef
	// TargetsInFrom is true if Targets only refer to entries of From.
	TargetsInFrom bool
	From          []TableExpr
	Where         Expr
	CurrentOf     bool
	OrderBy       []Expr
	Limits        []Expr
	Returning     *Returning
}

// MergeAction is what a branch of MERGE does.
type MergeAction uint8

// The actions.
const (
	MergeNothing MergeAction = iota + 1
	MergeInsert
	MergeUpdate
	MergeDelete
)

// Merge is MERGE.
type Merge struct {
	Span
	With      *With
	Target    *TableRef
	Source    TableExpr
	On        Expr
	Whens     []MergeWhen
	Returning *Returning
}

// MergeWhen is one WHEN branch.
type MergeWhen struct {
	// Matched is true for WHEN MATCHED; BySource for NOT MATCHED BY SOURCE.
	Matched  bool
	BySource bool
	Cond     Expr
	Action   MergeAction
	Set      []Assignment
	// Columns is nil for an INSERT without a column list; Row nil for DEFAULT VALUES.
	// ColumnsEnd is the offset of the parenthesis that closes the list.
	Columns    []InsertColumn
	ColumnsEnd int
	Row        *ValuesRow
	Overriding string
}

// UtilityKind is the kind of a statement that is not a query or a change of rows.
type UtilityKind uint8

// The kinds of utility statement.
const (
	// UtilityUnknown is refused if a protected name occurs in it.
	UtilityUnknown UtilityKind = iota
	// UtilityHarmless shows and changes nothing that the policy protects,
	// whatever names occur in it (BEGIN, TRUNCATE, DROP TABLE, ANALYZE, SET, GRANT).
	UtilityHarmless
	// UtilityExplain has one Inner statement; Executes is set for ANALYZE.
	UtilityExplain
	// UtilityStore keeps what the Inner query returns, or its text: CREATE
	// TABLE AS, SELECT INTO as a statement, CREATE VIEW, materialized views.
	// Reading a protected column in it is refused.
	UtilityStore
	// UtilityPrepare is PREPARE and DECLARE CURSOR: Inner is planned by a
	// later statement that the analysis does not see, so it may neither
	// read nor write a protected column.
	UtilityPrepare
	// UtilityCopy moves rows of Relations in or out, or the result of Inner.
	// Columns nil means every column.
	UtilityCopy
	// UtilityBody has program text in Strings (DO, CREATE FUNCTION, triggers,
	// PREPARE FROM 'text'): refused if a protected name occurs in it.
	UtilityBody
	// UtilityGroup runs Inner, one after another (CREATE SCHEMA with elements).
	UtilityGroup
	// UtilityDefine is DDL on Relations (CREATE TABLE, ALTER TABLE, CREATE
	// INDEX): refused if Exprs or Columns touch a protected column, or if
	// What says so.
	UtilityDefine
)

// Attachment makes Child a partition or a child of Parent.
type Attachment struct{ Child, Parent *TableRef }

// Utility is any other statement.
type Utility struct {
	Span
	Kind UtilityKind
	// What names the statement for messages: "COPY", "CREATE VIEW".
	What      string
	Relations []*TableRef
	// Columns are the columns of Relations[0] that the statement names; nil
	// for every column where that makes sense.
	Columns []string
	// Moves are the columns of Relations[0] that the statement renames or drops.
	Moves []string
	Defining
	// Exprs are the expressions in the statement: defaults, checks, conditions.
	// They see the columns of Relations, and the Defines of the statement's own.
	Exprs   []Expr
	Defines []string
	// Attaches are relations that hold rows of another from now on: partitions
	// and inheritance children.
	Attaches []Attachment
	// Strings are string constants that hold program text.
	Strings  []string
	Inner    []Statement
	Executes bool
	// Refuse, if set, is why the statement is refused when Relations hold a protected table.
	Refuse string
	// Temporary is true for the creation of a temporary relation.
	Temporary bool
}
