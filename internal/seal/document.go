package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/jsondoc"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// contextPath is the pair that binds a value to its path in a document.
const contextPath = "sealsql:path"

// Part is a path of a column whose values are JSON documents: a protected one, or one that
// leads to protected ones. Protected values lie in the documents as strings of base64, and
// their plaintexts are JSON texts.
type Part struct {
	Path jsondoc.Path
	// Value is the path's value as the server shows it by itself as JSON, Text as text:
	// a string without its quotes.
	Value, Text *Column
	// Type is the policy's type of the values.
	Type policy.ValueType
	// Term is the path of the values' equality terms; nil for values that cannot be
	// searched.
	Term jsondoc.Path
}

// inDocuments is what a column has to do with documents.
type inDocuments struct {
	document *document
	kind     policy.ValueType // of the values at a path: the column's are JSON texts
}

// document is what a column protects of its documents; nil stands for a column that is
// protected as a whole.
type document struct {
	paths jsondoc.Paths
	parts []*Part
	// within are the paths that lead to those of parts, the root among them.
	within []*Part
	// terms are the paths of equality terms, which applications do not see, and searched the
	// parts that they belong to.
	terms    jsondoc.Paths
	searched []*Part
}

// addTerms lists the terms of the document's parts.
func (d *document) addTerms() {
	for _, p := range d.parts {
		if p.Term != nil {
			d.terms, d.searched = append(d.terms, p.Term), append(d.searched, p)
		}
	}
}

// TermPaths are the paths of a document's equality terms.
func (c *Column) TermPaths() jsondoc.Paths {
	if c.document == nil {
		return nil
	}
	return c.document.terms
}

// element says how a column's values stand in a document. The zero value is that of
// columns that are no part of one.
type element uint8

const (
	elementJSON element = iota + 1 // as a JSON text
	elementText                    // as text: a string without its quotes
)

// Parts are the protected paths of a column whose values are JSON documents, or nil.
func (c *Column) Parts() []*Part {
	if c.document == nil {
		return nil
	}
	return c.document.parts
}

// Within are the paths that lead to those of [Column.Parts], the root first. Their columns
// are documents themselves.
func (c *Column) Within() []*Part {
	if c.document == nil {
		return nil
	}
	return c.document.within
}

// KeepsType reports whether the column's values are shown in the type in which the server
// shows them: documents, and values in them.
func (c *Column) KeepsType() bool { return c.document != nil || c.layout.Element != 0 }

// ValueType is the policy's type of the column's plaintexts.
func (c *Column) ValueType() policy.ValueType { return c.Type }

// addDocument makes the columns of a document's paths.
func (f *Funnel) addDocument(t *Table, col *Column, c policy.Column, counters *alert.Counters) error {
	if len(c.Paths) == 0 {
		return nil
	}
	d := &document{}
	for _, p := range c.Paths {
		path, err := jsondoc.ParsePath(p.Path)
		if err != nil {
			return fmt.Errorf("seal: the path %s of %s.%s: %w", p.Path, t.Label, c.Name, err)
		}
		part, err := f.newPart(t, c, Part{Path: path, Type: p.Type}, counters)
		if err != nil {
			return err
		}
		part.Value.kind, part.Text.kind = p.Type, p.Type
		if err = f.addPartSearch(part, p); err != nil {
			return err
		}
		d.paths, d.parts = append(d.paths, path), append(d.parts, part)
	}
	d.addTerms()
	col.document = d
	return f.addWithin(col, c, counters)
}

// newPart makes the columns of a part.
func (f *Funnel) newPart(t *Table, c policy.Column, part Part, counters *alert.Counters) (*Part, error) {
	var err error
	if part.Value, err = f.part(t, c, part.Path, elementJSON, counters); err != nil {
		return nil, err
	}
	part.Text, err = f.part(t, c, part.Path, elementText, counters)
	return &part, err
}

// addPartSearch makes a path searchable. Its terms stand beside its values.
func (f *Funnel) addPartSearch(part *Part, p policy.DocumentPath) error {
	if p.Equality == nil {
		return nil
	}
	for _, col := range []*Column{part.Value, part.Text} {
		if err := f.addSearch(col, policy.Column{Name: col.Name, Keyring: col.keyring, Equality: p.Equality}); err != nil {
			return err
		}
	}
	part.Term = slices.Clone(part.Path)
	part.Term[len(part.Term)-1].Key = p.Equality.Keys[0].Column
	return nil
}

// addWithin makes the columns of the paths that lead to a document's protected paths. A
// part of a document that holds protected values is a document, whose paths are the rest of
// those of the whole.
func (f *Funnel) addWithin(col *Column, c policy.Column, counters *alert.Counters) error {
	t, d, known := col.Table, col.document, map[string]bool{}
	for _, to := range d.paths {
		for n := range to {
			lead := to[:n]
			if known[lead.String()] {
				continue
			}
			known[lead.String()] = true
			part, err := f.newPart(t, c, Part{Path: lead, Type: policy.TypeJSON}, counters)
			if err != nil {
				return err
			}
			part.Value.ColumnCounters, part.Text.ColumnCounters = col.ColumnCounters, col.ColumnCounters
			d.within = append(d.within, part)
		}
	}
	for _, part := range d.within {
		own := &document{parts: restOf(part.Path, d.parts), within: restOf(part.Path, d.within)}
		for _, p := range own.parts {
			own.paths = append(own.paths, p.Path)
		}
		own.addTerms()
		part.Value.document, part.Text.document = own, own
	}
	return nil
}

// restOf are the parts at whose paths the lead begins, by the rest of those paths.
func restOf(lead jsondoc.Path, parts []*Part) (rest []*Part) {
	for _, p := range parts {
		if len(p.Path) >= len(lead) && slices.Equal(p.Path[:len(lead)], lead) {
			own := *p
			own.Path = p.Path[len(lead):]
			if p.Term != nil {
				own.Term = p.Term[len(lead):]
			}
			rest = append(rest, &own)
		}
	}
	return rest
}

// part makes the column of a path. Its name, in errors and events, is the column's with
// the path behind it.
func (f *Funnel) part(t *Table, c policy.Column, path jsondoc.Path, as element, counters *alert.Counters) (*Column, error) {
	c.Default = nil // a document's, not a value's
	col, err := f.column(t, c)
	if err != nil {
		return nil, err
	}
	col.Name = c.Name + strings.TrimPrefix(path.String(), "$")
	col.layout.Element = as
	col.bound.static[contextPath] = path.String()
	col.ColumnCounters = counters.Column(t.Label, col.Name)
	return col, nil
}

// sealDocument seals the values of a document that its paths reach. Nothing else of it
// changes.
func (f *Funnel) sealDocument(ctx context.Context, v Value) (any, error) {
	col := v.Column
	found, err := col.document.paths.FindAll(v.Plaintext)
	if err != nil {
		return nil, col.Error(fault.ErrValue, col.Table.Digest(v.Row), "pass a JSON document", err)
	}
	if terms, _ := col.document.terms.FindAll(v.Plaintext); len(terms) > 0 {
		return nil, col.Error(fault.ErrValue, col.Table.Digest(v.Row), "give the member another name, or the terms in the policy", errors.New("the document has a member of the name of equality terms"))
	}
	texts := make([][]byte, len(found))
	for i, at := range found {
		if texts[i], err = f.sealMember(ctx, v, col.document.parts[at.Path], at); err != nil {
			return nil, err
		}
	}
	doc := jsondoc.Splice(v.Plaintext, found, texts)
	if v.Capacity > 0 && len(doc) > v.Capacity {
		return nil, col.Error(fault.ErrValue, "", "make the column wider", &CapacityError{fmt.Sprintf("the document takes %d bytes, and the column holds %d", len(doc), v.Capacity)})
	}
	col.Sealed.Add(1)
	return string(doc), nil
}

// sealMember seals a value of a document, with its term behind it. A null stays as it is,
// and so does its term.
func (f *Funnel) sealMember(ctx context.Context, v Value, part *Part, at jsondoc.Found) ([]byte, error) {
	value, term := v.Plaintext[at.Start:at.End], any("null")
	if at.Null && part.Term == nil {
		return nil, nil
	}
	sealed, err := f.sealPart(ctx, Value{Column: part.Value, Plaintext: value, Row: v.Row, Statement: v.Statement})
	if err != nil || part.Term == nil {
		return []byte(fmt.Sprint(sealed)), err
	}
	if !at.Null {
		if term, err = f.Term(ctx, TermRequest{Column: part.Text, Plaintext: value, Row: v.Row, Statement: v.Statement}); err != nil {
			return nil, err
		}
		term = jsondoc.Quote(fmt.Sprint(term))
	}
	return fmt.Appendf(nil, "%v,%s:%v", sealed, jsondoc.Quote(part.Term[len(part.Term)-1].Key), term), nil
}

// sealPart seals the value of a path. The result is a string: JSON, or the text of a JSON
// string where the column is shown as text.
func (f *Funnel) sealPart(ctx context.Context, v Value) (any, error) {
	col := v.Column
	value := bytes.TrimSpace(v.Plaintext)
	if col.layout.Element == elementJSON && string(value) == "null" {
		return "null", nil
	}
	if err := fits(col.kind, value); err != nil {
		return nil, col.Error(fault.ErrValue, col.Table.Digest(v.Row), "write type: json for the path in the policy, or a value of its type", err)
	}
	v.Plaintext = value
	sealed, err := f.sealValue(ctx, v)
	if err != nil {
		return nil, err
	}
	text, isText := sealed.(string)
	switch {
	case !isText:
		return nil, col.Error(fault.ErrValue, "", "", errors.New("its ciphertext is no text"))
	case col.layout.Element == elementJSON:
		text = jsondoc.Quote(text)
	}
	return text, nil
}

// encodeText is EncodeGiven for a path whose value is given as the server's functions of
// JSON take values: text becomes a string, and a number a number.
func (c *Column) encodeText(rules server.Values, v any) (plaintext []byte, null bool, err error) {
	if v, err = rules.Sent(server.KeyText, v); err == nil {
		v, err = server.Plain(v)
	}
	if err != nil {
		return nil, false, err
	}
	switch v := v.(type) {
	case nil:
		return nil, true, nil
	case string:
		plaintext = []byte(jsondoc.Quote(v))
	case []byte:
		plaintext = []byte(jsondoc.Quote(string(v)))
	case int64:
		plaintext = strconv.AppendInt(nil, v, 10)
	case float64:
		plaintext, err = json.Marshal(v)
	default:
		return nil, false, errors.New("it is no text and no number")
	}
	if text, ok := server.AsText(v); err != nil || ok && !utf8.ValidString(text) {
		return nil, false, errors.New("it cannot be written as JSON")
	}
	return plaintext, false, nil
}

// fits returns an error unless a JSON text is of the type that the policy gives to a path.
func fits(kind policy.ValueType, value []byte) error {
	var ok bool
	isNumber := value[0] == '-' || '0' <= value[0] && value[0] <= '9'
	switch kind {
	case policy.TypeJSON:
		ok = true
	case policy.TypeString:
		ok = value[0] == '"'
	case policy.TypeBool:
		ok = value[0] == 't' || value[0] == 'f'
	case policy.TypeInt64:
		_, err := strconv.ParseInt(string(value), 10, 64)
		ok = err == nil
	case policy.TypeFloat64, policy.TypeDecimal:
		ok = isNumber
	}
	if !ok {
		return fmt.Errorf("the document has a value of another type than %s there", kind)
	}
	return nil
}

// openDocument opens the values of a document that its paths reach. A value in whose place
// the policy has NULL becomes null.
func (f *Funnel) openDocument(ctx context.Context, r Request) (plaintext []byte, null bool, err error) {
	if IsNull(r.Stored) {
		return nil, true, nil
	}
	doc, found, err := r.Column.find(r.Stored)
	if err != nil {
		return f.outcome(ctx, finding{Request: r, found: Found{Kind: inspect.Plaintext, form: plaintextForm{}, cause: err}, kind: alert.NotCiphertext, cause: err})
	}
	if len(found) > 0 && !r.Strict && r.holdsDefault() {
		r.Column.PlaintextReads.Add(1)
		f.raise(ctx, finding{Request: r, kind: alert.PlaintextRead}, true)
		return r.Column.withoutTerms(slices.Clone(doc)), false, nil
	}
	held, err := r.heldTerms(doc)
	if err != nil {
		return nil, true, err
	}
	texts := make([][]byte, len(found))
	defer func() {
		for _, t := range texts {
			clear(t)
		}
	}()
	for i, at := range found {
		part := r
		part.Column, part.Stored, part.Buffer = r.Column.document.parts[at.Path].Value, doc[at.Start:at.End], nil
		part.Term, part.HoldsTerm = held.of(r.Column.document.parts[at.Path], at)
		text, null, err := f.Open(ctx, part)
		if err != nil {
			return nil, true, err
		}
		if null {
			text = []byte("null")
		}
		if texts[i] = text; !validJSON(text) {
			return nil, true, part.Column.Error(fault.ErrValue, "", "the value was not sealed as a part of a document; write the document again", jsondoc.ErrNotJSON)
		}
		part.Column.Opened.Add(1)
	}
	for _, term := range held {
		if !term.used { // of a value that is not there
			part := r
			part.Column = term.part.Value
			return nil, true, f.failed(ctx, finding{Request: part, kind: alert.IndexMismatch})
		}
	}
	return r.Column.withoutTerms(jsondoc.Splice(doc, found, texts)), false, nil
}

// withoutTerms is a document as applications see it.
func (c *Column) withoutTerms(doc []byte) []byte {
	if len(c.document.terms) == 0 {
		return doc
	}
	terms, err := c.document.terms.FindAll(doc)
	if err != nil {
		return doc // it was JSON
	}
	shown := jsondoc.Remove(doc, terms)
	clear(doc)
	return shown
}

// heldTerm is a term of a document.
type heldTerm struct {
	part   *Part
	object int
	text   string
	used   bool
}

type heldTerms []*heldTerm

// heldTerms lists the terms that a document's values are held to: none unless the row was
// found by a term. A value without a term is held to nothing, since no search finds it.
func (r *Request) heldTerms(doc []byte) (held heldTerms, err error) {
	if !r.HoldsTerm {
		return nil, nil
	}
	terms, err := r.Column.document.terms.Find(doc)
	for _, at := range terms {
		text, _ := jsondoc.Text(doc[at.Start:at.End])
		held = append(held, &heldTerm{part: r.Column.document.searched[at.Path], object: at.Object, text: text})
	}
	return held, err
}

// of is the term that stands beside a value: of several values under one key the first has
// the first.
func (h heldTerms) of(part *Part, at jsondoc.Found) (term any, holds bool) {
	for _, t := range h {
		if t.part == part && t.object == at.Object && !t.used {
			t.used = true
			return t.text, true
		}
	}
	return nil, false
}

// documentFits reports whether every protected value of a document verifies for a row.
func (f *Funnel) documentFits(ctx context.Context, r Request) (fits bool, err error) {
	if IsNull(r.Stored) {
		return false, nil
	}
	fits = true
	bad := r.Column.eachPart(r.Stored, func(part *Column, value []byte) bool {
		own := r
		own.Column, own.Stored, own.Buffer = part, value, nil
		fits, err = f.Fits(ctx, own)
		return fits && err == nil
	})
	return fits && bad == nil, err
}

// inspectDocument is Inspect for a document: what its protected values have in common, or
// the first that is not sealed. A document without any has the form of NULL.
func (f *Funnel) inspectDocument(c *Column, stored any, sources []string) inspect.Value {
	all := inspect.Value{Form: inspect.Null}
	bad := c.eachPart(stored, func(part *Column, value []byte) bool {
		in := f.Inspect(part, value, sources)
		in.OtherFormat, in.OtherSuite, in.OtherContext = in.OtherFormat || all.OtherFormat, in.OtherSuite || all.OtherSuite, in.OtherContext || all.OtherContext
		in.Missing, in.Superfluous = append(all.Missing, in.Missing...), append(all.Superfluous, in.Superfluous...)
		all = in
		return in.Form.Sealed()
	})
	if bad != nil {
		all.Form = inspect.Plaintext
	}
	if all.Form != inspect.Null {
		all.Bytes = len(server.TextOf(stored))
	}
	return all
}

// find returns a stored document and what is protected of it.
func (c *Column) find(stored any) (doc []byte, found []jsondoc.Found, err error) {
	switch v := stored.(type) {
	case []byte:
		doc = v
	case string:
		doc = []byte(v)
	default:
		return nil, nil, fmt.Errorf("the column holds a Go %T", stored)
	}
	if c.layout.Element == elementText && !bytes.HasPrefix(doc, []byte("{")) && !bytes.HasPrefix(doc, []byte("[")) {
		doc = []byte(jsondoc.Quote(string(doc))) // a string without its quotes
	}
	found, err = c.document.paths.Find(doc)
	return doc, found, err
}

// eachPart calls visit with every protected value of a stored document, until visit
// returns false.
func (c *Column) eachPart(stored any, visit func(part *Column, value []byte) bool) error {
	doc, found, err := c.find(stored)
	for _, at := range found {
		if !visit(c.document.parts[at.Path].Value, doc[at.Start:at.End]) {
			break
		}
	}
	return err
}

func validJSON(text []byte) bool {
	_, err := jsondoc.Paths(nil).Find(text)
	return err == nil
}

// isJSONNull reports whether a value of a document is null: it is stored in clear.
func (c *Column) isJSONNull(stored any) bool {
	if c.layout.Element == 0 {
		return false
	}
	text, ok := server.AsText(stored)
	return ok && text == "null"
}

// asStored returns a plaintext in the Go type that the column's stored value has.
func (c *Column) asStored(stored any, plaintext []byte) any {
	text := string(plaintext)
	clear(plaintext)
	if c.layout.Element == elementText {
		if s, ok := jsondoc.Text([]byte(text)); ok {
			text = s
		}
	}
	if _, isBytes := stored.([]byte); isBytes {
		return []byte(text)
	}
	return text
}

// inClear returns a value that was never sealed as its plain text form.
func (c *Column) inClear(stored any) ([]byte, bool, error) {
	if c.layout.Element == elementText {
		if text, ok := server.AsText(stored); ok {
			return []byte(jsondoc.Quote(text)), false, nil
		}
	}
	return c.Encode(nil, stored)
}
