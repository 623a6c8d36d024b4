package main

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestExample(t *testing.T) { database.Test(t, "postgres mysql", example) }
