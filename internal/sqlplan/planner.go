package sqlplan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Default limits, used where [Rules] leaves them zero.
const (
	DefaultMaxText  = 1 << 20 // bytes
	DefaultMaxDepth = 200     // nested parentheses, brackets and CASEs
	DefaultMaxRows  = 1000
)

// Planner plans texts of one dialect. It is safe for concurrent use.
type Planner struct {
	rules    *Rules
	catalog  Catalog
	dialect  Dialect
	maxText  int
	searches bool // a column has equality terms
	// documents is true if a column holds JSON documents.
	documents bool
	reaching  atomic.Pointer[reaching]
}

type reaching struct {
	version   uint64
	attached  int64
	relations []*Relation
	names     nameSet // of every protected or reaching relation
	columns   nameSet // of every protected column
}

// New returns a planner. The rules, catalog and dialect must not change.
func New(rules *Rules, catalog Catalog, dialect Dialect) *Planner {
	p := &Planner{rules: rules, catalog: catalog, dialect: dialect, maxText: rules.MaxText}
	if p.maxText <= 0 {
		p.maxText = DefaultMaxText
	}
	for _, t := range rules.Tables {
		p.searches = p.searches || slices.ContainsFunc(t.Columns, func(c *Column) bool { return c.Term != nil || len(c.Terms) > 0 })
		p.documents = p.documents || slices.ContainsFunc(t.Columns, func(c *Column) bool { return c.Paths != nil })
	}
	return p
}

// Plan analyses one text. The error is a [*Refusal], the context's error or
// what the catalog returned.
func (p *Planner) Plan(ctx context.Context, text string) (plan *Plan, err error) {
	reach := p.reach()
	// The end of an index names no table, and perhaps a column.
	if !reach.names.mayName(text, p.dialect) && !(containsFold(text, "drop") && reach.columns.mayName(text, p.dialect)) {
		return unprotected(-1, false), nil
	}
	if len(text) > p.maxText {
		if !p.names(text, &reach.names) {
			return unprotected(-1, true), nil
		}
		return nil, Refuse(text, -1, "", "the text is longer than the policy's limit and names a protected table", "send fewer rows at once")
	}
	script, err := p.parseWithin(ctx, text)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return p.unreadable(text, &reach.names, err)
	}
	defer func() {
		if r := recover(); r != nil {
			plan, err = nil, Refuse(text, -1, "", "the analysis of this text failed", "report the statement's form")
		}
	}()
	a := &analysis{ctx: ctx, p: p, d: p.dialect, reach: reach, text: text, script: script}
	plan, err = a.run()
	if r, ok := errors.AsType[*Refusal](err); ok {
		r.Asked = a.asked
	}
	return plan, err
}

// reach returns what the catalog says about further relations, and the names
// to look for.
func (p *Planner) reach() *reaching {
	version, attached := p.catalog.Version(), p.rules.attached.n.Load()
	if r := p.reaching.Load(); r != nil && r.version == version && r.attached == attached {
		return r
	}
	r := &reaching{version: version, attached: attached, relations: p.catalog.Readers()}
	r.relations = append(r.relations[:len(r.relations):len(r.relations)], p.rules.attached.relations()...)
	for _, t := range p.rules.Tables {
		r.names.add(t.Name)
		for _, c := range t.Columns {
			r.columns.add(c.Name)
		}
	}
	for _, v := range p.rules.Views {
		r.names.add(v.Name)
	}
	for _, x := range r.relations {
		r.names.add(x.Name)
	}
	p.reaching.Store(r)
	return r
}

// longText is the length of texts, in bytes, whose parsing takes so long that a deadline may
// pass meanwhile.
const longText = 1 << 15

// parseWithin is parse, which no context ends. It leaves the parsing of a long text behind
// when the context is done.
func (p *Planner) parseWithin(ctx context.Context, text string) (*Script, error) {
	if len(text) < longText || ctx.Done() == nil {
		return p.parse(text)
	}
	type parsed struct {
		script *Script
		err    error
	}
	done := make(chan parsed, 1)
	go func() {
		script, err := p.parse(text)
		done <- parsed{script, err}
	}()
	select {
	case r := <-done:
		return r.script, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// parse calls the dialect's parser; a panic of it is an error.
func (p *Planner) parse(text string) (script *Script, err error) {
	defer func() {
		if r := recover(); r != nil {
			script, err = nil, errors.New("the parser failed")
		}
	}()
	return p.dialect.Parse(text)
}

// ErrTooDeep is returned by a dialect's Parse for a text nested beyond
// [Rules.MaxDepth].
var ErrTooDeep = errors.New("nested too deeply")

// unreadable decides about a text that the parser cannot read: it is passed on
// only if no name of interest occurs in it, in any spelling.
func (p *Planner) unreadable(text string, names *nameSet, cause error) (*Plan, error) {
	if !p.names(text, names) {
		return unprotected(-1, true), nil
	}
	what := "a text that cannot be read names a protected table"
	if errors.Is(cause, ErrTooDeep) {
		what = "a text that names a protected table is nested beyond the policy's limit"
	}
	return nil, Refuse(text, -1, "", what, "correct the statement, or put it more plainly")
}

// names reports whether a word or a string of the text may name one of the names.
func (p *Planner) names(text string, names *nameSet) bool {
	named := false
	ok := p.dialect.Words(text, func(word string) {
		named = named || names.in(word)
	})
	return named || !ok
}

// mentions reports whether one of the names (lower case) occurs in the text as
// a whole word.
func mentions(text string, names []string) bool {
	for _, name := range names {
		rest := text
		for {
			i := indexFold(rest, name)
			if i < 0 {
				break
			}
			end := i + len(name)
			if (i == 0 || !wordByte(rest[i-1])) && (end == len(rest) || !wordByte(rest[end])) {
				return true
			}
			rest = rest[i+1:]
		}
	}
	return false
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func containsFold(s, lower string) bool { return indexFold(s, lower) >= 0 }

// indexFold is strings.Index with ASCII letters of s taken as lower case.
func indexFold(s, lower string) int {
	if lower == "" {
		return -1
	}
	first := lower[0]
	for i := 0; i+len(lower) <= len(s); i++ {
		if lowerByte(s[i]) != first {
			continue
		}
		j := 1
		for j < len(lower) && (lowerByte(s[i+j]) == lower[j] || lower[j] >= 0x80) {
			j++
		}
		if j == len(lower) {
			return i
		}
	}
	return -1
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// analysis is the state of planning one text.
type analysis struct {
	ctx    context.Context
	p      *Planner
	d      Dialect
	reach  *reaching
	text   string
	script *Script
	err    error // the first refusal or catalog error
	ticks  int

	surroundings
	knownTables
	usage
	comparing
	rewriting
	draft
}

// surroundings tell what the statement at hand is part of.
type surroundings struct {
	top      *Select // the text's statement, if it is a plain SELECT
	view     bool    // a view's definition is read
	nested   int     // depth of CTEs and sub-selects around the statement at hand
	explain  bool
	executes bool
}

// knownTables is what the analysis learned of the tables that the text names.
type knownTables struct {
	relations map[string]*Relation
	asked     []Asked        // relations, in the order in which they were asked for
	resolved  map[int]string // by the name's place: the schema that was written before it
	schemas   map[*Table]string
	altered   map[string]*Relation // by schema and name: as earlier statements of the text leave them
	rowLists  []Span               // of VALUES whose columns the server names, see [Values]
	implied   []*Relation
	attached  []Attached
	attaching []Attachment // by the statement at hand
	renames   []*renamed
	// unnestings are entries of FROM that got further columns.
	unnestings []*unnesting
}

// usage collects uses of values and names that are judged once the whole text is read.
type usage struct {
	touched bool // a protected table is referred to
	// unresolved is the first reference to a table that is in no scope.
	unresolved *ColumnRef
	plain      []plainUse
	alike      []alike
	strays     []stray
}

// comparing is what is known of comparisons by equality terms.
type comparing struct {
	matches map[Expr][]*match
	// shapes counts the tests of emptiness that look at ciphertexts.
	shapes int
	// held are the conditions that hold where an expression is looked at.
	held []holds
	// termLists are the SELECTs whose searchable columns are returned as terms.
	termLists map[*Select][]*searching
	anyStar   map[*Select]bool // SELECTs whose columns do not matter: EXISTS
	tests     []givenTest
	inClear   []Span // parameters that are compared with columns that are not protected
	page      *Page  // of the statement at hand
	inexact   bool   // a condition fixes columns that compare inexactly, too
	untold    []Span // those of them whose type only the searchable column tells
}

// rewriting collects the changes of the text.
type rewriting struct {
	edits    []edit
	parts    []part        // of the edits
	casts    []*casts      // around placeholders
	numbers  *placeholders // once it is made
	claims   map[int]claim // by the start of the value's span
	mirrors  []*mirror
	hidden   int           // hidden columns so far
	prefixed bool          // the prefix of their names occurs in the text
	typed    map[Span]bool // NULLs of the text that were given a type
	nullIfs  map[Expr]*NullIf
}

// draft is the plan so far.
type draft struct {
	seals []Seal
	// sealIndex finds a seal by its key.
	sealIndex sealIndex
	// withheld are values for protected columns of a statement that is only
	// explained: they are not sent.
	withheld []Seal
	// perRow is how many values differ from row to row (row by row).
	perRow    int
	results   []ResultSet
	returning bool  // a result set needs the driver
	route     Route // nil until a statement needs another than Direct
	writes    bool
	opaque    bool // a statement returns rows of which nothing is known
	defines   bool // a statement changes what relations are
	excludes  bool // a statement may lock relations until its transaction ends
	leftOut   []LeftOut
}

// ticksPerCheck is how many parts of a statement are planned between two looks at the
// context. A part takes about a microsecond.
const ticksPerCheck = 256

// tick is called for each part of a large statement, so that planning ends soon
// after its context does.
func (a *analysis) tick() {
	if a.ticks++; a.ticks%ticksPerCheck == 0 {
		a.pause()
	}
}

// pause looks at the context. It is called between the stages of planning, too.
func (a *analysis) pause() {
	if a.err == nil {
		a.err = a.ctx.Err()
	}
}

// refuse records why the text is not sent; the first refusal stands.
func (a *analysis) refuse(at Span, object, what, hint string) {
	if a.err == nil {
		a.err = Refuse(a.text, at.Start, object, what, hint)
	}
}

// refuseWithin refuses what cannot be carried out within a larger statement or text. A text
// of several statements is told apart, if it can be.
func (a *analysis) refuseWithin(at Span, object, what, hint string) {
	if a.err == nil {
		r := Refuse(a.text, at.Start, object, what, hint)
		r.Apart = a.script.Apart
		a.err = r
	}
}

// run analyses the script's statements and assembles the plan.
func (a *analysis) run() (*Plan, error) {
	readOnly := true
	for _, s := range a.script.Statements {
		a.statement(s)
		if a.err != nil {
			return nil, a.err
		}
		if q, ok := s.(*Query); !ok || q.Locking {
			readOnly = false
		}
	}
	a.judge()
	a.pause()
	if a.err != nil {
		return nil, a.err
	}
	if !a.touched {
		plan := unprotected(a.script.NumParams, true)
		plan.Defines, plan.Excludes = a.defines, a.excludes
		return plan, nil
	}
	for _, o := range a.renames {
		o.complete()
	}
	for _, u := range a.unnestings {
		u.complete()
	}
	if a.err != nil {
		return nil, a.err
	}
	plan := &Plan{
		Protected:   true,
		Named:       true,
		UserParams:  a.script.NumParams,
		Route:       Direct{},
		RelationUse: RelationUse{Implied: a.implied, Attaches: a.attached, Defines: a.defines, Excludes: a.excludes, LeftOut: a.leftOut},
		ReadOnly:    readOnly && !a.writes,
	}
	if a.returning {
		plan.Results = a.results
	}
	if plan.hidesRows() {
		plan.Asked = a.asked
	}
	if a.route != nil {
		plan.Route = a.route
	}
	if r, ok := a.route.(*RowByRow); ok {
		a.buildRows(r)
	} else {
		parts := a.render(Span{0, len(a.text)})
		plan.Main = a.finish(parts)
		if k, ok := a.route.(*KeyChecks); ok {
			k.Guarded = a.guardedUpsert(parts)
		}
		if k, ok := a.route.(*ServerKey); ok && k.Mode == ServerKeyReserve {
			k.Reserve = a.finish(a.reserving(k.rel, parts))
		}
	}
	a.pause()
	a.checkRowKeys()
	if a.err != nil {
		return nil, a.err // a row key is not unique, or two changes of the text overlap
	}
	a.p.rules.Attach(a.attached)
	a.writeSchemas(plan)
	a.keepSeals(plan)
	return plan, nil
}

// hidesRows reports whether a result shows a value and not the row that it belongs to.
func (p *Plan) hidesRows() bool {
	return slices.ContainsFunc(p.Results, func(set ResultSet) bool {
		return slices.ContainsFunc(set.Columns, func(c ResultColumn) bool { return c.Protected != nil && c.Protected.Unverifiable })
	})
}

// judge checks what can be judged only once the whole text is read.
func (a *analysis) judge() {
	a.unread()
	a.checkStrays()
	a.checkMirrors()
	a.checkParams()
	a.checkShort()
	if a.opaque && a.returning && len(a.script.Statements) > 1 {
		a.refuse(Span{}, "", "a text of several statements: one returns protected values and another returns other rows", "send them one by one")
	}
	if a.unresolved != nil && a.touched {
		a.refuse(a.unresolved.Span, "", "a column of a table that is not in reach", "name a table of this query")
	}
}

// unread refuses a text that touches a protected table and has a part that the
// dialect does not translate.
func (a *analysis) unread() {
	at := Span{-1, -1}
	for _, t := range a.script.UnreadTables {
		a.relation(t)
		at = t.Span
	}
	for _, e := range a.script.Unread {
		at = e.At()
		walk(e, func(x Expr) bool {
			if s, ok := x.(*Sub); ok {
				a.nested++
				a.query(s.Query, nil)
				a.nested--
			}
			return true
		})
	}
	if at.Start >= 0 && a.touched {
		a.refuse(at, "", "a part of the syntax that is not known, in a text that names a protected table", "leave that part out")
	}
}

// take sets the plan's route. The rules let one statement of a text have a
// route of its own, and only if it stands alone.
func (a *analysis) take(r Route, at Span) {
	if a.route != nil {
		a.refuseWithin(at, "", "a statement that would be carried out in two ways", "write the statement more plainly")
		return
	}
	a.route = r
}

// statement analyses one top-level statement.
func (a *analysis) statement(s Statement) {
	alone := len(a.script.Statements) == 1
	switch s := s.(type) {
	case *Query:
		a.top, _ = s.Body.(*Select)
		a.result(a.query(s, nil))
	case *Insert:
		a.result(a.insert(s, nil, alone))
	case *Update:
		a.result(a.update(s, nil, alone))
	case *Delete:
		a.result(a.delete(s, nil))
	case *Merge:
		a.result(a.merge(s, nil))
	case *Utility:
		a.utility(s)
	default:
		a.refuse(s.At(), "", fmt.Sprintf("a statement of an unknown form (%T)", s), "")
	}
}
