package mysql

import (
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

// TestWhatATextDoesToItsSession.
func TestWhatATextDoesToItsSession(t *testing.T) {
	doubt := sqlplan.Effect{Doubt: true}
	for text, want := range map[string]sqlplan.Effect{
		"SELECT 1":                               {},
		"(SELECT 1)":                             {},
		"-- a tag\nINSERT INTO t VALUES (1)":     {},
		"BEGIN":                                  {Unlocks: true},
		"BEGIN WORK":                             {Unlocks: true},
		"START TRANSACTION":                      {Unlocks: true},
		"COMMIT":                                 {},
		"SET TRANSACTION READ ONLY":              {Once: true},
		"SET SESSION TRANSACTION READ ONLY":      {},
		"SET @x = 1":                             doubt,
		"SET NAMES latin1":                       doubt,
		"USE other":                              doubt,
		"CALL p()":                               doubt,
		"DO f()":                                 doubt,
		"EXECUTE p":                              {Doubt: true, Locks: true},
		"EXECUTE IMMEDIATE 'LOCK TABLES t READ'": {Doubt: true, Locks: true},
		"BEGIN NOT ATOMIC SET NAMES latin1; END": doubt,
		"SET STATEMENT max_statement_time=1 FOR SELECT 1":      doubt,
		"SELECT 1 /*!40101 , 2 */":                             doubt,
		"SELECT /*+ MAX_EXECUTION_TIME(1000) */ 1":             {},
		"/*M!100100 SET sql_mode = '' */":                      doubt,
		"LOCK TABLES t WRITE":                                  {Locks: true},
		"FLUSH TABLES t WITH READ LOCK":                        {Locks: true},
		"UNLOCK TABLES":                                        {Unlocks: true},
		"DROP DATABASE d":                                      doubt,
		"SELECT 1; SET NAMES latin1":                           doubt,
		"HANDLER t OPEN":                                       doubt,
		"SELECT 'a":                                            {Doubt: true, Locks: true},
		"UPDATE t SET a = 'SET NAMES latin1'":                  {},
		"PREPARE p FROM 'LOCK TABLES t WRITE'":                 {Locks: true},
		"SELECT * FROM t FOR UPDATE":                           {},
		"SELECT a FROM t WHERE b = 'flush' LOCK IN SHARE MODE": {},
	} {
		plan, err := New(plantest.Rules(), plantest.Shop{MySQL: true}, Options{}).Plan(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := (sqlplan.Effect{Doubt: plan.Doubt, Locks: plan.Locks, Unlocks: plan.Unlocks, Once: plan.Once}); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}
