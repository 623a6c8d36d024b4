package sealtest

import (
	"bytes"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/policy"
)

// Argument matches a parameter that opens to a value: it is a sqlmock.Argument.
// Its methods return changed copies.
//
// It never matches a plaintext, nor a NULL unless the value is nil, nor a
// message that does not open under its keys.
type Argument struct {
	argument
	ring    codec.Keyring
	keys    []any
	hasKeys bool
	pairs   codec.Context
}

// argument is what every argument has: the expected value, which no format shows, and the
// column that it belongs to.
type argument struct {
	kit           *Kit
	what          string
	value         any
	table, column string
	sources       Row
}

// String says what is matched, without the value.
func (a argument) String() string {
	if a.column == "" {
		return a.what
	}
	return a.what + " of " + a.table + "." + a.column
}

// GoString keeps the value out of %#v.
func (a argument) GoString() string { return a.String() }

// Format keeps the value out of every verb.
func (a argument) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// Sealed matches a message that opens to value under [Keyring]. value is a
// string, []byte, bool, integer, float64, time.Time or what has a Value method; the
// texts are those that docs/FORMAT.md describes. [Kit.Sealed] knows the
// column's type and the whole context from the policy.
func Sealed(value any) Argument {
	return Argument{argument: argument{what: "a sealed value", value: value}, ring: Keyring()}
}

// Sealed matches a message that sealsql would write under the kit's policy for
// value: opened for the row and column that In and Row name, and carrying exactly
// the context that the policy gives it. Without Row, the row that the message
// itself names; without In, the column that it names. Why a parameter did not
// match goes to the test's log, without any value.
func (k *Kit) Sealed(value any) Argument {
	return Argument{argument: argument{kit: k, what: "a sealed value", value: value}}
}

// With replaces the keyring. A kit's keyrings are set in its [Config].
func (a Argument) With(k codec.Keyring) Argument {
	if a.kit != nil {
		panic("sealtest: the keyrings of a kit are set in its Config")
	}
	a.ring = k
	return a
}

// In says which column the value was sealed for, by the names that the policy uses.
func (a Argument) In(table, column string) Argument {
	a.table, a.column = table, column
	return a
}

// Row says which row the value was sealed for: the row key's values in the
// policy's order. Of an Argument without a kit, they must be all that the value is
// bound to beside table, column and the pairs of Context, in any order.
func (a Argument) Row(key ...any) Argument {
	a.keys, a.hasKeys = slices.Clone(key), true
	return a
}

// Of adds the values of columns that the value is bound to beside the row
// key, by column name. It is for Arguments of a kit.
func (a Argument) Of(columns Row) Argument {
	a.sources = maps.Clone(columns)
	return a
}

// Context says which pair the message's encryption context has, stored or
// only authenticated. It is for Arguments without a kit, which know no policy.
func (a Argument) Context(key, value string) Argument {
	a.pairs = maps.Clone(a.pairs)
	if a.pairs == nil {
		a.pairs = codec.Context{}
	}
	a.pairs[key] = value
	return a
}

// Match implements sqlmock.Argument.
func (a Argument) Match(v sqldriver.Value) bool {
	return a.kit.matches(a.Check(v))
}

// matches reports whether a check found nothing, and logs what it found. k may be nil.
func (k *Kit) matches(err error) bool {
	if err != nil && k != nil {
		k.t.Logf("sealtest: a parameter does not match: %v", err)
	}
	return err == nil
}

// Check is Match that says what is wrong. Its error holds no value.
func (a Argument) Check(v sqldriver.Value) error {
	if a.value == nil {
		return onlyNull(v)
	}
	if a.kit != nil {
		return a.checkUnderPolicy(v)
	}
	m, err := message(v)
	if err != nil {
		return err
	}
	expected, err := a.expected(m.Context())
	if err != nil {
		return err
	}
	want, null, err := textForm(a.value)
	if err != nil {
		return err
	}
	if null {
		return onlyNull(v)
	}
	c, err := codec.New(codec.Config{Keyring: a.ring})
	if err != nil {
		return err
	}
	got, err := c.Decrypt(context.Background(), nil, m, expected)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errOther
	}
	return nil
}

var errOther = errors.New("it opens to another value")

func onlyNull(v sqldriver.Value) error {
	if v == nil {
		return nil
	}
	if b, ok := v.([]byte); ok && b == nil {
		return nil
	}
	return fmt.Errorf("NULL is expected, not a Go %T", v)
}

// message reads a parameter: a message, or one in base64.
func message(v sqldriver.Value) (*codec.Message, error) { return seal.MessageOf(v) }

// location are the pairs that sealsql adds by itself.
const (
	pairTable  = "sealsql:table"
	pairColumn = "sealsql:column"
	publicKey  = "aws-crypto-public-key"
)

// expected returns the context that the message must open under, given the one
// that it stores.
func (a Argument) expected(stored codec.Context) (codec.Context, error) {
	expected := maps.Clone(a.pairs)
	if expected == nil {
		expected = codec.Context{}
	}
	if a.column != "" || a.table != "" {
		if stored[pairTable] != a.table || stored[pairColumn] != a.column {
			return nil, errors.New("it was sealed for another table or column")
		}
	}
	if !a.hasKeys {
		return expected, nil
	}
	var bound []string
	for k, v := range stored {
		if _, given := a.pairs[k]; !given && k != pairTable && k != pairColumn && k != publicKey {
			bound = append(bound, v)
		}
	}
	keys := make([]string, len(a.keys))
	for i, key := range a.keys {
		text, null, err := textForm(key)
		if err != nil || null {
			return nil, errors.New("a value given to Row cannot be part of a row key")
		}
		keys[i] = string(text)
	}
	slices.Sort(bound)
	slices.Sort(keys)
	if !slices.Equal(bound, keys) {
		return nil, errors.New("it was sealed for another row, or is bound to more or less than Row and Context say")
	}
	return expected, nil
}

// checkUnderPolicy seals the value for the same row, compares the contexts, and
// opens the parameter as strictly as can be: what the policy hands out to
// applications all the same does not match.
func (a Argument) checkUnderPolicy(v sqldriver.Value) error {
	m, err := message(v)
	if err != nil && v != nil {
		return err
	}
	var stored codec.Context
	if m != nil {
		stored = m.Context()
	}
	table, column, err := a.columnOf(stored)
	if err != nil {
		return err
	}
	t, c, err := a.kit.protected(table, column)
	if err != nil {
		return err
	}
	row, err := a.row(t, c, stored)
	if err != nil {
		return err
	}
	want, err := a.kit.sealer.Seal(context.Background(), table, column, driver.Row(row), a.value)
	if err != nil {
		return fmt.Errorf("the expected value cannot be sealed: %w", err)
	}
	if want == nil || v == nil {
		return onlyNull(v)
	}
	wanted, err := message(want)
	if err != nil {
		return err
	}
	if c.Storage == policy.Binary {
		if raw, isBytes := v.([]byte); !isBytes || len(raw) == 0 || raw[0] > 2 {
			return errors.New("the column stores bytes, and it is base64")
		}
	}
	if !maps.Equal(withoutPublicKey(stored), withoutPublicKey(wanted.Context())) {
		return errors.New("its encryption context is not the one of the row and column")
	}
	return a.holdsValue(table, column, driver.Row(row), v)
}

// columnOf names the column that the value belongs to: that of In, or else the column
// that the message's context names.
func (a Argument) columnOf(stored codec.Context) (table, column string, err error) {
	table, column = a.table, a.column
	if table == "" && column == "" {
		table, column = stored[pairTable], stored[pairColumn]
	}
	if table == "" || column == "" {
		return "", "", errors.New("it does not say which column it belongs to; name the column with In")
	}
	return table, column, nil
}

// holdsValue opens v and compares it with the expected value.
func (a Argument) holdsValue(table, column string, row driver.Row, v sqldriver.Value) error {
	opened, err := a.kit.sealer.OpenPlaintext(context.Background(), table, column, row, v)
	if err != nil {
		return err
	}
	plaintext, null, err := a.kit.sealer.EncodePlaintext(table, column, a.value)
	if err != nil || null || !bytes.Equal(opened, plaintext) {
		return errOther
	}
	return nil
}

func withoutPublicKey(ec codec.Context) codec.Context {
	ec = maps.Clone(ec)
	delete(ec, publicKey)
	return ec
}

// row returns the values that the column's context draws on: those given, and
// else those that the message stores.
func (a Argument) row(t policy.Table, c policy.Column, stored codec.Context) (Row, error) {
	row := Row{}
	for _, p := range c.Context {
		if text, ok := stored[p.Key]; ok && p.Source != "" {
			row[p.Source] = text
		}
	}
	if a.hasKeys {
		if len(a.keys) != len(t.RowKey) {
			return nil, fmt.Errorf("Row was given %d values, and the row key is (%s)", len(a.keys), strings.Join(t.RowKey, ", "))
		}
		for i, name := range t.RowKey {
			row[name] = a.keys[i]
		}
	}
	maps.Copy(row, a.sources)
	for _, name := range sources(c) {
		if _, ok := row[name]; !ok {
			return nil, fmt.Errorf("the message does not store %s; give it with Row or Of", name)
		}
	}
	return row, nil
}

// textForm is the plaintext that a value is sealed as where the column's type
// is not known.
func textForm(v any) (text []byte, null bool, err error) {
	if x, ok := v.(sqldriver.Valuer); ok {
		if v, err = x.Value(); err != nil {
			return nil, false, errors.New("the expected value's Value method failed")
		}
	}
	switch v := v.(type) {
	case nil:
		return nil, true, nil
	case string:
		return []byte(v), false, nil
	case []byte:
		return v, v == nil, nil
	case bool:
		return strconv.AppendBool(nil, v), false, nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Append(nil, v), false, nil
	case float64:
		return strconv.AppendFloat(nil, v, 'g', -1, 64), false, nil
	case time.Time:
		return v.UTC().AppendFormat(nil, time.RFC3339Nano), false, nil
	}
	return nil, false, fmt.Errorf("a Go %T cannot be compared without a column's type; use Kit.Sealed", v)
}
