package corpus

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Catalog is what a server said of the corpus's schema, kept in a file so that
// planning can be tested without a server.
type Catalog struct {
	Relations []*sqlplan.Relation
	Views     []*sqlplan.Relation
}

// CatalogPath is the file of a product's catalog.
func CatalogPath(dir, product string) string {
	return filepath.Join(dir, "catalog."+product+".json")
}

// ReadCatalog reads the file.
func ReadCatalog(dir, product string) (*Catalog, error) {
	data, err := os.ReadFile(CatalogPath(dir, product))
	if err != nil {
		return nil, err
	}
	c := &Catalog{}
	return c, json.Unmarshal(data, c)
}

// Relation implements [sqlplan.Catalog]: names without a schema mean the first
// relation of that name, which is in the default schema.
func (c *Catalog) Relation(_ context.Context, schema, name string) (*sqlplan.Relation, error) {
	for _, r := range c.Relations {
		if strings.EqualFold(r.Name, name) && (schema == "" || strings.EqualFold(r.Schema, schema)) {
			return r, nil
		}
	}
	return nil, nil
}

// Readers implements [sqlplan.Catalog].
func (c *Catalog) Readers() []*sqlplan.Relation { return c.Views }

// Version implements [sqlplan.Catalog].
func (c *Catalog) Version() uint64 { return 1 }
