//go:build conformance_suites

package conformance

// What the suites need, so that go.mod names the versions.
import (
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/jmoiron/sqlx"
	_ "github.com/stretchr/testify/require"
)
