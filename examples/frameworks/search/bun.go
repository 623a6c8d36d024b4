package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func withBun(ctx context.Context, pool *sql.DB, env *demo.Env) []step {
	var dialect schema.Dialect = pgdialect.New()
	if !env.Postgres() {
		dialect = mysqldialect.New()
	}
	db := bun.NewDB(pool, dialect)
	phone, ssn := "+44 20 7946 0001", "900-12-3456"
	find := func(u *User, where string, args ...any) error {
		return db.NewSelect().Model(u).Where(where, args...).Scan(ctx)
	}
	return []step{
		{"bun: create", func() error {
			users := []User{{11, "Ada", ada, &phone, &ssn}, {12, "Ben", ben, nil, nil}}
			_, err := db.NewInsert().Model(&users).Exec(ctx)
			_, second := db.NewInsert().Model(&Invitation{11, "blue", "ADA@Example.org"}).Exec(ctx)
			return errors.Join(err, second)
		}},
		{"bun: find by e-mail, in another case", func() error {
			var u User
			err := find(&u, "email = ?", "ADA@Example.org")
			return want(err, u.ID == 11 && u.Email == ada && *u.Phone == phone)
		}},
		{"bun: find several", func() error {
			var list []User
			err := db.NewSelect().Model(&list).Where("email IN (?)", bun.List([]string{ada, ben, cleo})).WhereOr("ssn = ?", ssn).Order("id").Scan(ctx)
			return want(err, len(list) == 2 && *list[0].SSN == ssn)
		}},
		{"bun: is there one", func() error {
			found, err := db.NewSelect().Model((*User)(nil)).Where("phone = ?", "442079460001").Exists(ctx)
			return want(err, found)
		}},
		{"bun: update by e-mail", func() error {
			res, err := db.NewUpdate().Model((*User)(nil)).Set("name = ?", "Benjamin").Set("ssn = ?", "900-65-4321").Where("email = ?", ben).Exec(ctx)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			return want(err, n == 1)
		}},
		{"bun: upsert by e-mail", func() error {
			q := db.NewInsert().Model(&User{ID: 13, Name: "Ada L.", Email: ada, Phone: &phone})
			if env.Postgres() {
				q = q.On("CONFLICT (email) DO UPDATE").Set("name = EXCLUDED.name").Set("phone = EXCLUDED.phone")
			} else {
				q = q.On("DUPLICATE KEY UPDATE").Set("name = VALUES(name)").Set("phone = VALUES(phone)")
			}
			_, err := q.Exec(ctx)
			var u User
			return want(errors.Join(err, find(&u, "email = ?", ada)), u.ID == 11 && u.Name == "Ada L." && *u.SSN == ssn)
		}},
		{"bun: upsert by e-mail under keys that the server makes", func() error {
			upsert := func(list *[]Subscriber) error {
				q := db.NewInsert().Model(list)
				if env.Postgres() {
					q = q.On("CONFLICT (email) DO UPDATE").Set("phone = EXCLUDED.phone")
				} else {
					q = q.On("DUPLICATE KEY UPDATE").Set("phone = VALUES(phone)")
				}
				_, err := q.Exec(ctx)
				return err
			}
			err := errors.Join(upsert(&[]Subscriber{{Email: cleo}}), upsert(&[]Subscriber{{Email: "CLEO@example.org", Phone: &phone}, {Email: "dan@example.org"}}))
			var list []Subscriber
			err = errors.Join(err, db.NewSelect().Model(&list).Where("email IN (?)", bun.List([]string{cleo, "dan@example.org"})).Order("id").Scan(ctx))
			return want(err, len(list) == 2 && list[0].Email == cleo && *list[0].Phone == phone && list[1].Phone == nil)
		}},
		{"bun: a second user of an e-mail violates the constraint", func() error {
			_, err := db.NewInsert().Model(&User{ID: 14, Name: "Eve", Email: "ADA@Example.org"}).Exec(ctx)
			return want(nil, err != nil && strings.Contains(err.Error(), "users_email_key"))
		}},
		{"bun: join by e-mail", func() error {
			var teams []string
			err := db.NewSelect().TableExpr("users AS u").ColumnExpr("i.team").Join("JOIN invitations AS i ON i.email = u.email").Where("u.email = ?", ada).Scan(ctx, &teams)
			return want(err, len(teams) == 1 && teams[0] == "blue")
		}},
		{"bun: delete by e-mail", func() error {
			res, err := db.NewDelete().Model((*User)(nil)).Where("email = ?", ada).Exec(ctx)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			return want(err, n == 1)
		}},
	}
}
