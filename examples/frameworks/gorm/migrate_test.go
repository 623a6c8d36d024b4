package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

// Account is a model as it is written for columns in clear. gorm makes its table.
type Account struct {
	ID        uint
	Login     string `gorm:"size:64;uniqueIndex"`
	Email     string `gorm:"size:384;not null;default:'';uniqueIndex"`
	Token     string `gorm:"size:64;unique"`
	Phone     string `gorm:"size:20;index"`
	Bio       string
	Score     int `gorm:"not null;default:0"`
	Birth     *time.Time
	CreatedAt time.Time
}

var accounts = demo.Database{Values: []string{"ada@x.example"}, Protected: "SELECT email, phone FROM accounts", Policy: `
version: 1
keyrings: {dev: {raw_aes: {namespace: demo, name: key, key_env: SEALSQL_DEMO_RAW_KEY}}}
tables:
  accounts:
    row_key: [id]
    columns:
      email: {keyring: dev, type: string, search: {equality: {column: email_eq, normalise: [casefold]}}}
      token: {keyring: dev, type: string, search: {equality: {column: token_eq}}}
      phone: {keyring: dev, type: string}
      bio: {keyring: dev, type: string, storage: base64}
      score: {keyring: dev, type: int64, default: 0}
      birth: {keyring: dev, type: timestamp}
`}

// TestAutoMigrateReachesAFixedPoint: AutoMigrate makes a table with protected columns, and
// run again it changes nothing, though it finds other types than it asked for.
func TestAutoMigrateReachesAFixedPoint(t *testing.T) {
	accounts.Test(t, "postgres mysql", func(ctx context.Context, env *demo.Env) error {
		pool, err := sql.Open(env.Driver, env.DSN)
		if err != nil {
			return err
		}
		defer func() { _ = pool.Close() }() // the test is over
		db, err := open(pool, env)
		if err != nil {
			return err
		}
		var before string
		for run := range 3 {
			if err := db.WithContext(ctx).AutoMigrate(&Account{}); err != nil {
				return err
			}
			now, err := schemaOf(env)
			if err != nil {
				return err
			}
			if run == 0 {
				before = now
				if err := use(db.WithContext(ctx)); err != nil {
					return err
				}
			}
			if now != before {
				return fmt.Errorf("run %d of AutoMigrate changes the schema from\n%s\nto\n%s", run+1, before, now)
			}
		}
		if !strings.Contains(before, "email_eq") || !strings.Contains(before, "idx_accounts_email") || strings.Contains(before, "idx_accounts_phone") {
			return fmt.Errorf("the schema is\n%s", before)
		}
		return nil
	})
}

func use(db *gorm.DB) error {
	ada := Account{Login: "ada", Email: "ada@x.example", Token: "t1", Phone: "900-555-0001"}
	if err := db.Create(&ada).Error; err != nil {
		return err
	}
	var found Account
	if err := db.First(&found, "email = ?", "ADA@x.example").Error; err != nil {
		return err
	}
	if found.ID != ada.ID || found.Phone != ada.Phone || found.Score != 0 {
		return errors.New("what was read is not what was written")
	}
	if err := db.Create(&Account{Login: "other", Email: "Ada@x.example", Token: "t2"}).Error; err == nil {
		return errors.New("two accounts have one address")
	}
	return nil
}

// schemaOf describes the table and its indexes.
func schemaOf(env *demo.Env) (string, error) {
	texts := []string{
		"SELECT column_name, data_type, is_nullable, coalesce(column_default, '') FROM information_schema.columns WHERE table_name = 'accounts' ORDER BY ordinal_position",
		"SELECT indexname, indexdef, '', '' FROM pg_indexes WHERE tablename = 'accounts' ORDER BY 1",
		"SELECT conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint WHERE conrelid = 'accounts'::regclass ORDER BY 1",
	}
	if !env.Postgres() {
		texts = []string{
			"SELECT column_name, column_type, is_nullable, coalesce(column_default, '') FROM information_schema.columns WHERE table_name = 'accounts' ORDER BY ordinal_position",
			"SELECT index_name, column_name, non_unique, seq_in_index FROM information_schema.statistics WHERE table_name = 'accounts' ORDER BY 1, 4",
		}
	}
	var b strings.Builder
	for _, text := range texts {
		rows, err := env.Bare.Query(text)
		if err != nil {
			return "", err
		}
		for rows.Next() {
			var f [4]string
			if err := rows.Scan(&f[0], &f[1], &f[2], &f[3]); err != nil {
				return "", err
			}
			fmt.Fprintln(&b, strings.Join(f[:], " "))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
