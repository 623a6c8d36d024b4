package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

var sprintf = fmt.Sprintf

// schema checks the policy's tables against the live catalog.
func (l *linter) schema(ctx context.Context, db *sql.DB, dialect string, longest int) error {
	srv, err := server.Named(dialect)
	if err != nil {
		return err
	}
	p, err := catalogPolicy(l.policy)
	if err != nil {
		return err
	}
	s, err := driver.NewSealer(db, p...)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := l.views(ctx, db, srv); err != nil {
		return err
	}
	for _, t := range l.policy.Tables() {
		name := t.FullName()
		rel, types, err := exec.EngineOf(s).Relation(ctx, name)
		if err != nil {
			l.add(lintError, t.Line, "table-missing", name, "the database has no such table, or the account may not see it", "correct the name, name the schema, or create the table")
			continue
		}
		if rel.View {
			l.add(lintError, t.Line, "table-is-view", name, "this is a view", "protect its table, and list the view under views")
			continue
		}
		if err := l.schemas(ctx, db, srv, t); err != nil {
			return err
		}
		withWidths(rel)
		c := &tableCheck{linter: l, t: t, name: name, rel: rel, types: types, server: srv, longest: longest}
		c.rowKey()
		if err := c.columns(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// schemas asks whether a table without a schema means several: what values are bound to
// does not tell them apart.
func (l *linter) schemas(ctx context.Context, db *sql.DB, srv server.Server, t policy.Table) error {
	if t.Schema != "" {
		return nil
	}
	list, err := srv.SchemasOf(ctx, db, t.Name)
	if err != nil {
		return fmt.Errorf("the catalog cannot be read: %w", err)
	}
	if len(list) > 1 {
		l.add(lintWarning, t.Line, "several-schemas", t.Name, "the policy means it in every schema, and "+strings.Join(list, ", ")+" have it: a value of a row opens in the row of the same key of another",
			"name the schema, as in "+list[0]+"."+t.Name+", or keep them in databases of their own")
	}
	return nil
}

// views asks which views have definitions that the account may not see.
func (l *linter) views(ctx context.Context, db *sql.DB, srv server.Server) error {
	readers, err := srv.Readers(ctx, db, &sqlplan.Rules{})
	if err != nil {
		return fmt.Errorf("the catalog cannot be read: %w", err)
	}
	for _, v := range readers {
		listed := slices.ContainsFunc(l.policy.Views(), func(p policy.View) bool {
			return strings.EqualFold(p.Name, v.Name) && (p.Schema == "" || strings.EqualFold(p.Schema, v.Schema))
		})
		if v.ReadsProtected == sqlplan.Unseen && !listed {
			l.add(lintWarning, 0, "view-unseen", v.Schema+"."+v.Name, "the account may not see the view's definition: statements that name the view are refused",
				"GRANT SHOW VIEW ON "+v.Schema+".* TO the account, or list the view under views")
		}
	}
	return nil
}

// catalogPolicy is the options of a sealer that only reads the catalog: keyrings
// need not be usable for that.
func catalogPolicy(p *policy.Policy) ([]driver.Option, error) {
	opts := []driver.Option{driver.WithPolicy(p)}
	for _, name := range p.Keyrings() {
		opts = append(opts, driver.WithKeyring(name, noKeys{}))
	}
	return opts, nil
}

// noKeys is a keyring that is never asked.
type noKeys struct{}

func (noKeys) OnEncrypt(context.Context, *codec.EncryptionMaterials) error { return codec.ErrClosed }
func (noKeys) OnDecrypt(context.Context, *codec.DecryptionMaterials, []codec.WrappedKey) error {
	return codec.ErrClosed
}
func (noKeys) Beacon(context.Context, string, func(*codec.BeaconKey) error) error {
	return codec.ErrClosed
}
func (noKeys) DecryptBlob(context.Context, []byte, codec.Context) ([]byte, error) {
	return nil, codec.ErrClosed
}

// tableCheck checks one table.
type tableCheck struct {
	*linter
	t       policy.Table
	name    string
	rel     *sqlplan.Relation
	types   []server.KeyType
	server  server.Server
	longest int
}

func (c *tableCheck) column(name string) (*sqlplan.RelationColumn, server.KeyType) {
	for i := range c.rel.Columns {
		if c.rel.Columns[i].Name == name {
			return &c.rel.Columns[i], c.types[i]
		}
	}
	return nil, server.KeyUnsupported
}

// rowKey asks whether the row key tells rows apart.
func (c *tableCheck) rowKey() {
	for _, name := range c.t.KeyColumns() {
		rc, typ := c.column(name)
		switch {
		case rc == nil:
			c.add(lintError, c.t.Line, "column-missing", c.name+"."+name, "the table has no such column, which the row key names", "correct the name")
			return
		case typ == server.KeyUnsupported:
			c.add(lintError, c.t.Line, "row-key-type", c.name+"."+name, "a column of type "+rc.Type+" cannot be part of the row key", "choose a key of integers, text, UUIDs, dates or bytes")
		case !rc.NotNull:
			c.add(lintError, c.t.Line, "row-key-null", c.name+"."+name, "the row key's column may be NULL, and a row without a key cannot hold a sealed value", "make it NOT NULL")
		case rc.Generated:
			c.add(lintWarning, c.t.Line, "row-key-generated", c.name+"."+name, "the row key's column is computed by the server, so a value for a new row cannot be bound to it", "choose a key that the application gives, or that a default makes")
		case rc.Inexact:
			c.add(lintNote, c.t.Line, "row-key-collation", c.name+"."+name, "the collation takes different texts for equal, so a row's spelling of its key is read before it is written", "a binary collation spares the read")
		}
	}
	unique := slices.ContainsFunc(c.rel.UniqueKeys, func(k sqlplan.UniqueKey) bool {
		return !k.Partial && len(k.Columns) > 0 && !slices.ContainsFunc(k.Columns, func(s string) bool { return !slices.Contains(c.t.KeyColumns(), s) })
	})
	if !unique {
		c.add(lintError, c.t.Line, "row-key-not-unique", c.name, "no unique key lies within the row key, so a value would fit several rows", "add a unique index on ("+strings.Join(c.t.KeyColumns(), ", ")+"), or name the columns of one")
	}
}

func (c *tableCheck) columns(ctx context.Context, db *sql.DB) error {
	for _, pc := range c.t.Columns {
		object := c.name + "." + pc.Name
		rc, _ := c.column(pc.Name)
		if rc == nil {
			c.add(lintError, pc.Line, "column-missing", object, "the table has no such column", "correct the name, or add the column")
			continue
		}
		c.sources(pc)
		c.storage(pc, rc)
		if err := errors.Join(c.terms(ctx, db, pc), c.pathTerms(ctx, db, pc, rc.Type)); err != nil {
			return err
		}
		if rc.Generated {
			c.add(lintError, pc.Line, "column-generated", object, "the column is computed by the server, which would see the plaintext", "protect the columns that it is computed from, and drop it")
		}
		if err := c.defaults(ctx, db, pc, rc); err != nil {
			return err
		}
		for _, k := range c.rel.UniqueKeys {
			if slices.Contains(k.Columns, pc.Name) {
				c.add(lintWarning, pc.Line, "index-on-ciphertext", object, "the unique key "+k.Name+" holds the column: no two ciphertexts are equal, so it keeps nothing apart", uniqueHint(pc))
			}
		}
		if err := c.live(ctx, db, pc); err != nil {
			return err
		}
	}
	return nil
}

// uniqueHint says where a unique key of a protected column belongs.
func uniqueHint(pc policy.Column) string {
	if pc.Equality != nil && pc.Equality.Exact() {
		return "drop it, and make the index of " + pc.Equality.Keys[0].Column + " unique in its place"
	}
	return "drop it; the server enforces uniqueness of plaintexts only on exact terms: search: {equality: {column: …}}"
}

func (c *tableCheck) sources(pc policy.Column) {
	for _, pair := range slices.Concat(pc.Context, pc.LegacyContext) {
		if pair.Source == "" {
			continue
		}
		source := c.t.InClear(pair.Source)
		object := c.name + "." + source
		switch rc, typ := c.column(source); {
		case rc == nil:
			c.add(lintError, pc.Line, "column-missing", object, "the table has no such column, which the context of "+pc.Name+" draws on", "correct the name")
		case typ == server.KeyUnsupported:
			c.add(lintError, pc.Line, "context-type", object, "a column of type "+rc.Type+" cannot be part of an encryption context", "use another column")
		case !rc.NotNull && !slices.Contains(c.t.RowKey, pair.Source):
			c.add(lintWarning, pc.Line, "context-null", object, "the column may be NULL, and then a value cannot be sealed for the row", "make it NOT NULL")
		}
	}
}

// storage compares the column's type and width with the largest ciphertext.
func (c *tableCheck) storage(pc policy.Column, rc *sqlplan.RelationColumn) {
	object := c.name + "." + pc.Name
	kind, width := storageOf(rc.Type)
	if pc.Paths != nil {
		if t := strings.ToLower(rc.Type); kind != "text" && t != "json" && t != "jsonb" {
			c.add(lintError, pc.Line, "storage-type", object, sprintf("the column is %s, and paths: needs JSON, JSONB or TEXT", rc.Type), "change the column's type, or leave paths out of the policy")
		}
		return
	}
	want := map[policy.Storage]string{policy.Binary: "binary", policy.Base64: "text"}[pc.Storage]
	if kind != want {
		c.add(lintError, pc.Line, "storage-type", object, sprintf("the column is %s, and storage: %s needs %s", rc.Type, pc.Storage, map[string]string{"binary": "BYTEA or BLOB", "text": "TEXT or VARCHAR"}[want]), "change the column's type or the policy's storage")
		return
	}
	size, exact := c.size(pc)
	if width > 0 && size > width {
		about := "about "
		if exact {
			about = ""
		}
		c.add(lintError, pc.Line, "storage-width", object, sprintf("the column holds %d bytes, and the largest ciphertext has %s%d", width, about, size), "make it wider: BYTEA, BLOB or TEXT have no small limit")
	}
	if fact, hint := c.server.StorageAdvice(*rc); fact != "" {
		c.add(lintNote, pc.Line, "storage-row-size", object, fact, hint)
	}
}

// withWidths adds the limits of character types to the types' names.
func withWidths(rel *sqlplan.Relation) {
	for i := range rel.Columns {
		if c := &rel.Columns[i]; c.Full != "" && strings.HasPrefix(c.Type, "character") {
			c.Type = c.Full
		}
	}
}

// storageOf reads a type as the catalogs write it; width is 0 where there is no
// limit worth a word.
func storageOf(typ string) (kind string, width int) {
	name, rest, _ := strings.Cut(typ, "(")
	n, _ := strconv.Atoi(strings.TrimRight(strings.Split(rest, ")")[0], " "))
	switch strings.TrimSpace(name) {
	case "bytea", "longblob", "mediumblob":
		return "binary", 0
	case "blob":
		return "binary", 65535
	case "tinyblob":
		return "binary", 255
	case "varbinary", "binary":
		return "binary", n
	case "text", "longtext", "mediumtext", "character varying", "citext":
		if typ == "text" || n == 0 {
			return "text", 0
		}
		return "text", n
	case "tinytext":
		return "text", 255
	case "varchar", "char", "character":
		return "text", n
	}
	return "other", 0
}

// plaintextBytes is the longest plain text form of each type; 0: as long as the
// application makes it.
var plaintextBytes = map[policy.ValueType]int{policy.TypeInt64: 20, policy.TypeFloat64: 24, policy.TypeBool: 5, policy.TypeTimestamp: 35,
	policy.TypeDate: 10, policy.TypeDecimal: 40, policy.TypeUUID: 36}

// size is the length of the largest ciphertext as stored; exact is false if it
// rests on --max-plaintext or on text keys of unknown length.
func (c *tableCheck) size(pc policy.Column) (n int, exact bool) {
	plaintext, exact := plaintextBytes[pc.Type], true
	if plaintext == 0 {
		plaintext, exact = c.longest, false
	}
	ring, _ := c.policy.Keyring(pc.Keyring)
	if n, known := seal.Size(ring.Format, plaintext); known {
		return pc.Storage.Stored(n), exact
	}
	ec := codec.Context{}
	var required []string
	for _, pair := range pc.Context {
		if !pair.Stored {
			required = append(required, pair.Key)
		}
		value := pair.Value
		if pair.Source != "" {
			rc, typ := c.column(pair.Source)
			length, known := keyBytes(rc, typ)
			value, exact = strings.Repeat("x", length), exact && known
		}
		ec[pair.Key] = value
	}
	if pc.BindLocation {
		ec["sealsql:table"], ec["sealsql:column"] = c.name, pc.Name
	}
	suite := suiteOf(ring)
	cfg := codec.Config{Keyring: noKeys{}, RequiredKeys: required, Suite: suite}
	if !suite.Committing() {
		cfg.Commitment = codec.CommitmentForbidEncryptAllowDecrypt
	}
	cd, err := codec.New(cfg)
	if err != nil {
		return 0, false
	}
	n, err = cd.Size(ec, wrappedKeys(ring, suite.KeyLength()), plaintext)
	if err != nil {
		return 0, false
	}
	return pc.Storage.Stored(n), exact
}

// keyBytes is the greatest length of a column's canonical text.
func keyBytes(rc *sqlplan.RelationColumn, typ server.KeyType) (n int, known bool) {
	switch typ {
	case server.KeyInteger:
		return 20, true
	case server.KeyUUID:
		return 36, true
	case server.KeyBool:
		return 5, true
	case server.KeyDate:
		return 10, true
	case server.KeyTimestamp, server.KeyTimestampTZ:
		return 27, true
	}
	if rc != nil {
		if _, width := storageOf(rc.Type); width > 0 {
			if typ == server.KeyBytes {
				return 2 * width, true
			}
			return 4 * width, false // characters of up to four bytes
		}
	}
	return 64, false
}

// suiteOf is what the keyring writes; a policy's suites are all known ones.
func suiteOf(ring policy.Keyring) codec.Suite {
	id, _ := strconv.ParseUint(ring.Suite, 16, 16)
	return codec.Suite(id)
}

// wrappedKeys are as long as those that the keyring makes of a data key of n bytes.
func wrappedKeys(ring policy.Keyring, n int) []codec.WrappedKey {
	kms, branch, raw := n+152, n+60, n+16 // KMS's own; codec/branchkey's salt, IV, version and tag; a tag
	key := func(provider, info string, n int) codec.WrappedKey {
		return codec.WrappedKey{ProviderID: provider, ProviderInfo: []byte(info), Ciphertext: make([]byte, n)}
	}
	switch {
	case ring.DataKey.Per == "branch":
		id := ring.DataKey.BranchKey
		if id == "" {
			id = strings.Repeat("x", 36)
		}
		return []codec.WrappedKey{key(branchkey.ProviderID, id, branch)}
	case ring.RawAES != nil:
		return []codec.WrappedKey{key(ring.RawAES.Namespace, ring.RawAES.Name+strings.Repeat("x", 20), raw)}
	case ring.KMS != nil:
		var out []codec.WrappedKey
		for _, arn := range ring.KMS.ARNs {
			out = append(out, key(awskms.ProviderID, arn, kms))
		}
		return out
	}
	return nil
}
