//go:build conformance_suites

// Package orm names the versions of the ORMs whose suites package conformance
// runs. It is a module of its own: their dependencies are nobody else's.
package orm

import (
	_ "github.com/aarondl/sqlboiler/v4"
	_ "github.com/aarondl/sqlboiler/v4/drivers/sqlboiler-mysql"
	_ "github.com/aarondl/sqlboiler/v4/drivers/sqlboiler-psql"
	_ "github.com/doug-martin/goqu/v9"
	_ "github.com/go-gorp/gorp/v3"
	_ "github.com/gobuffalo/pop/v6"
	_ "github.com/jinzhu/gorm"
	_ "xorm.io/xorm"

	// What sqlboiler's generated code needs.
	_ "github.com/aarondl/null/v8"
	_ "github.com/aarondl/randomize"
	_ "github.com/aarondl/strmangle"
	_ "github.com/kat-co/vala"
	_ "github.com/spf13/viper"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
)
