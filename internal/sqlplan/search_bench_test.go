package sqlplan_test

import (
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

// BenchmarkPlanSearch analyses a search that is not cached.
func BenchmarkPlanSearch(b *testing.B) {
	p, m := postgres.New(searchRules(), searchCatalog("postgres")), mysql.New(searchRules(), searchCatalog("mysql"), mysql.Options{})
	for name, f := range map[string]func() error{
		"postgres": func() error {
			_, err := p.Plan(b.Context(), "SELECT id, email, name FROM people WHERE tenant_id = $1 AND email = $2 ORDER BY id LIMIT 10")
			return err
		},
		"mysql": func() error {
			_, err := m.Plan(b.Context(), "SELECT id, email, name FROM people WHERE tenant_id = ? AND email = ? ORDER BY id LIMIT 10")
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
