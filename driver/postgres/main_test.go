package postgres_test

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Shop(m, "postgres", &dsn) }
