package server

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// TermPath is the member of JSON documents that holds the equality terms of a path.
type TermPath struct {
	// Schema is empty for the table that the session finds. Column holds the documents.
	Schema, Table, Column string
	// Type is the column's type in the catalog; it is empty if it is not known.
	Type string
	Keys []string // from the document's root
}

// maxName is the length of the shortest of the servers' longest names.
const maxName = 63

// IndexName is the name of the index over the terms.
func (t TermPath) IndexName() string { return name(t.Table, t.ColumnName()) }

// ColumnName is the name of a column that is computed of the terms, for a server that needs
// one.
func (t TermPath) ColumnName() string { return name(append([]string{t.Column}, t.Keys...)...) }

// name joins parts; a digest takes the place of the end of a long name.
func name(parts ...string) string {
	all := strings.Join(parts, "_")
	if len(all) <= maxName {
		return all
	}
	digest := sha256.Sum256([]byte(all))
	return strings.ToValidUTF8(all[:maxName-9], "") + "_" + hex.EncodeToString(digest[:4])
}
