package testdb

import (
	"context"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestEachServerIsTheOneThatIsNamed(t *testing.T) {
	for _, s := range Each(t) {
		t.Run(s.String(), func(t *testing.T) {
			c := s.choice
			if c.version != "" && s.String() != c.product+"-"+c.version {
				t.Errorf("%s-%s was asked for", c.product, c.version)
			}
			db := s.Open(t, s.NewDatabase(t))
			for _, text := range []string{"CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)"} {
				if _, err := db.ExecContext(context.Background(), text); err != nil {
					t.Fatal(err)
				}
			}
			var n int
			if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 2 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}
