package plancache

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

// TestPlansAreBoundedByTheirMemory fills a cache with plans that take many times the
// memory of their texts.
func TestPlansAreBoundedByTheirMemory(t *testing.T) {
	const most = 1 << 20
	planner := mysql.New(plantest.Rules(), plantest.Shop{MySQL: true}, mysql.Options{})
	c := New(2048, most)
	kept, texts, plans := 0, 0, []*sqlplan.Plan{}
	for n := range 200 {
		text := fmt.Sprintf("UPDATE accounts SET ssn = 'x' WHERE account_number IN (%s?) /* %d */", strings.Repeat("?, ", 200), n)
		plan, err := planner.Plan(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		kept, texts, plans = kept+plan.Size(), texts+len(text), append(plans, plan)
		c.Put(text, &Entry{Plan: plan})
		if c.Get(text) == nil {
			t.Fatalf("text %d is not kept", n)
		}
		if c.Bytes() > most {
			t.Fatalf("%d bytes are kept after %d texts", c.Bytes(), n+1)
		}
	}
	if texts > most/6 || kept < most+most/4 {
		t.Fatalf("the texts have %d bytes, and their plans %d: the test shows nothing", texts, kept)
	}
	if n := c.Len(); n < 20 || n == len(plans) {
		t.Errorf("%d of %d plans are kept", n, len(plans))
	}
	c.Clear()
	if c.Bytes() != 0 {
		t.Errorf("an empty cache counts %d bytes", c.Bytes())
	}
}

// TestAPlanThatFillsTheCacheIsNotKept puts a plan of a short text that takes much memory.
func TestAPlanThatFillsTheCacheIsNotKept(t *testing.T) {
	c := New(10, 16<<10)
	c.Put("small", &Entry{Plan: &sqlplan.Plan{Route: sqlplan.Direct{}}})
	c.Put("large", &Entry{Plan: &sqlplan.Plan{Main: sqlplan.Template{Text: strings.Repeat("x", 2<<10)}, Route: sqlplan.Direct{}}})
	if c.Get("small") != nil || c.Get("large") != nil {
		t.Error("a plan of more than a 16th of the cache is kept")
	}
	c = New(10, 64<<10)
	c.Put("small", &Entry{Plan: &sqlplan.Plan{Route: sqlplan.Direct{}}})
	c.Put("small", &Entry{Plan: &sqlplan.Plan{Route: sqlplan.Direct{}}})
	if c.Len() != 1 || c.Bytes() > 2<<10 {
		t.Errorf("%d texts, %d bytes", c.Len(), c.Bytes())
	}
}
