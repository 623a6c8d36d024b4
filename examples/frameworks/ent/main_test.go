package main

import (
	"testing"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestExample(t *testing.T) { demo.Test(t, "postgres mysql", example) }
