package server

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/policy"
)

// Guard is a CHECK constraint that keeps clear text out of a protected column,
// whoever writes: another client, LOAD DATA, a trigger, or sealsql itself if it were
// wrong. A stored value passes if it is NULL or fits one of Shapes.
//
// A guard looks at the first bytes and at the length. It does not prove that a value
// opens: that takes the key, and the driver does it on every read.
type Guard struct {
	Schema, Table, Column string
	// Text is true for a column of characters, which holds base64.
	Text   bool
	Shapes []Shape
}

// Shape is how the values of a form begin and how short they may be, both as the
// column stores them.
type Shape struct {
	// Prefixes are of one length. A value begins with one of them.
	Prefixes [][]byte
	// Least is the least length of a value in bytes.
	Least int
}

// leastMessage is the length of the shortest message: version 1, no data, one wrapped
// key without content, a body that is not framed (message-header and message-body of the
// AWS Encryption SDK specification).
const leastMessage = 104

// leastCompact is the length of a compact value of an empty plaintext: docs/FORMAT.md.
const leastCompact = 53

// leastBlob is less than any ciphertext of KMS's Encrypt takes, in bytes.
const leastBlob = 64

// NewGuard returns the guard of a column: one shape for each form that the policy
// writes or reads. ok is false if the policy lets clear text into the column
// (plaintext_reads: allow, paths), so that no constraint can keep it out.
func NewGuard(p *policy.Policy, t policy.Table, c policy.Column) (g Guard, ok bool) {
	g = Guard{Schema: t.Schema, Table: t.Name, Column: c.Name, Text: c.Storage == policy.Base64}
	if c.PlaintextReads == policy.Allow || c.Paths != nil {
		return g, false
	}
	ring, _ := p.Keyring(c.Keyring)
	g.Shapes = append(g.Shapes, stored(g.Text, leastMessage, messagePrefixes(ring.Commitment)))
	if ring.DataKey.HasBranchKeys() { // compact values are read, whatever is written
		g.Shapes = append(g.Shapes, compactShape(g.Text))
	}
	if c.Legacy != "" {
		g.Shapes = append(g.Shapes, blobShapes(g.Text)...)
	}
	return g, true
}

// messagePrefixes are the first three bytes of the messages that a commitment policy
// lets a column read: version and suite (version 2), or version, type and the first byte
// of the suite (version 1).
func messagePrefixes(commitment string) [][]byte {
	committing := [][]byte{{2, 0x04, 0x78}, {2, 0x05, 0x78}}
	if commitment == "require_encrypt_require_decrypt" {
		return committing
	}
	return append(committing, []byte{1, 0x80, 0}, []byte{1, 0x80, 1}, []byte{1, 0x80, 2}, []byte{1, 0x80, 3})
}

// compactShape is that of compact values: they begin with 01, and the bits of a key id
// follow.
func compactShape(text bool) Shape {
	if !text {
		return Shape{[][]byte{{1}}, leastCompact}
	}
	s := Shape{Least: base64.StdEncoding.EncodedLen(leastCompact)}
	for id := range 16 { // of which the second character of base64 holds four bits
		s.Prefixes = append(s.Prefixes, []byte(base64.StdEncoding.EncodeToString([]byte{1, byte(id << 4), 0})[:2]))
	}
	return s
}

// blobShapes are those of bare ciphertexts of KMS, whose form AWS does not document:
// they begin with 01 01 or 01 02, or with 0a 20 if they are from before 2016. Scripts
// store them as bytes or in base64, also in columns of bytes.
func blobShapes(text bool) []Shape {
	encoded := Shape{[][]byte{[]byte("AQ"), []byte("Ci")}, base64.StdEncoding.EncodedLen(leastBlob)}
	if text {
		return []Shape{encoded}
	}
	return []Shape{{[][]byte{{1, 1}, {1, 2}, {0x0a, 0x20}}, leastBlob}, encoded}
}

// stored is the shape of values of at least least bytes that begin with one of the
// prefixes of three bytes each, in base64 if text is true.
func stored(text bool, least int, prefixes [][]byte) Shape {
	if !text {
		return Shape{prefixes, least}
	}
	s := Shape{Least: base64.StdEncoding.EncodedLen(least)}
	for _, p := range prefixes {
		s.Prefixes = append(s.Prefixes, []byte(base64.StdEncoding.EncodeToString(p)))
	}
	return s
}

// Name is the constraint's name, the same in every schema. It carries a digest of what
// the guard checks: a constraint of this name is this guard, and a policy that lets other
// forms in has a guard of another name.
func (g Guard) Name() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %v", g.Table, g.Column, g.Text)
	for _, s := range g.Shapes {
		fmt.Fprintf(h, " %d %x", s.Least, s.Prefixes)
	}
	readable := g.Column
	if len(readable) > 40 || !plain(readable) {
		readable = "column"
	}
	return GuardPrefix + readable + "_" + hex.EncodeToString(h.Sum(nil)[:4])
}

// GuardPrefix begins the name of every guard.
const GuardPrefix = "sealed_"

// plain reports whether every server takes a name of these characters as it is.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// GuardsOf reads the names of constraints, and whether each is enforced for every row,
// with a query that a server's room wrote.
func GuardsOf(ctx context.Context, db *sql.DB, query string, args ...any) (map[string]bool, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	out := map[string]bool{}
	for rows.Next() {
		var name string
		var enforced bool
		if err := rows.Scan(&name, &enforced); err != nil {
			return nil, err
		}
		out[name] = enforced
	}
	return out, rows.Err()
}
