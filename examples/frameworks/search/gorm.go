package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

// User is a row of users, as gorm and bun map it. Nothing of it says that it is protected.
type User struct {
	ID    int64 `bun:",pk"`
	Name  string
	Email string
	Phone *string
	SSN   *string `bun:"ssn"`
}

// Invitation is a row of invitations.
type Invitation struct {
	ID    int64 `bun:",pk"`
	Team  string
	Email string
}

// Subscriber is a row of subscribers, whose keys the server counts up.
type Subscriber struct {
	ID    int64 `bun:",pk,autoincrement"`
	Email string
	Phone *string
}

func withGorm(ctx context.Context, pool *sql.DB, env *demo.Env) ([]step, error) {
	var dialector gorm.Dialector = postgres.New(postgres.Config{Conn: pool})
	if !env.Postgres() {
		dialector = mysql.New(mysql.Config{Conn: pool})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard, TranslateError: true})
	if err != nil {
		return nil, err
	}
	db = db.WithContext(ctx)
	phone, ssn := "+44 20 7946 0001", "900-12-3456"
	return []step{
		{"gorm: create", func() error {
			users := []User{{1, "Ada", ada, &phone, &ssn}, {2, "Ben", ben, nil, nil}}
			return errors.Join(db.Create(&users).Error, db.Create(&Invitation{1, "blue", "ADA@Example.org"}).Error)
		}},
		{"gorm: find by e-mail, in another case", func() error {
			var u User
			err := db.Where("email = ?", "ADA@Example.org").First(&u).Error
			return want(err, u.ID == 1 && u.Email == ada && *u.Phone == phone)
		}},
		{"gorm: find by phone, spelled in another way, and by a struct", func() error {
			var u, v User
			err := errors.Join(db.First(&u, "phone = ?", "442079460001").Error, db.Where(&User{Email: ben}).Take(&v).Error)
			return want(err, u.ID == 1 && v.ID == 2)
		}},
		{"gorm: find several", func() error {
			var list []User
			err := db.Where("email IN ?", []string{ada, ben, cleo}).Or("ssn = ?", ssn).Order("id").Find(&list).Error
			return want(err, len(list) == 2 && *list[0].SSN == ssn)
		}},
		{"gorm: update by e-mail", func() error {
			res := db.Model(&User{}).Where("email = ?", ben).Updates(map[string]any{"name": "Benjamin", "ssn": "900-65-4321"})
			return want(res.Error, res.RowsAffected == 1)
		}},
		{"gorm: upsert by e-mail", func() error {
			key := clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "phone"})}
			err := db.Clauses(key).Create(&User{ID: 3, Name: "Ada L.", Email: ada, Phone: &phone}).Error
			var u User
			return want(errors.Join(err, db.First(&u, "email = ?", ada).Error), u.ID == 1 && u.Name == "Ada L." && *u.SSN == ssn)
		}},
		{"gorm: upsert by e-mail under keys that the server makes", func() error {
			key := clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"phone"})}
			first, all := Subscriber{Email: ada}, []Subscriber{{Email: "ADA@Example.org", Phone: &phone}, {Email: ben}}
			err := errors.Join(db.Clauses(key).Create(&first).Error, db.Clauses(key).Create(&all).Error)
			var list []Subscriber
			err = errors.Join(err, db.Order("id").Find(&list).Error)
			return want(err, len(list) == 2 && list[0].ID == first.ID && list[0].Email == ada && *list[0].Phone == phone && list[1].Email == ben)
		}},
		{"gorm: a second user of an e-mail violates the constraint", func() error {
			err := db.Create(&User{ID: 4, Name: "Eve", Email: "ADA@Example.org"}).Error
			return want(nil, errors.Is(err, gorm.ErrDuplicatedKey))
		}},
		{"gorm: find or create", func() error {
			var u, again User
			err := errors.Join(db.Where(User{Email: cleo}).Attrs(User{ID: 5, Name: "Cleo"}).FirstOrCreate(&u).Error, db.Where(User{Email: strings.ToUpper(cleo)}).FirstOrCreate(&again).Error)
			return want(err, u.ID == 5 && again.ID == 5)
		}},
		{"gorm: join by e-mail", func() error {
			var teams []string
			err := db.Model(&User{}).Joins("JOIN invitations i ON i.email = users.email").Where("users.email = ?", ada).Pluck("i.team", &teams).Error
			return want(err, len(teams) == 1 && teams[0] == "blue")
		}},
		{"gorm: delete by e-mail", func() error {
			res := db.Where("email IN ?", []string{ada, ben, cleo}).Delete(&User{})
			return want(errors.Join(res.Error, db.Delete(&Invitation{}, 1).Error), res.RowsAffected == 3)
		}},
	}, nil
}
