package applications

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"
)

// TestAuthenticationServer is an authentication server on gorm and golang-migrate: users that
// sign in by address, phone and token, identities, and families of refresh tokens.
func TestAuthenticationServer(t *testing.T) {
	application{
		name: "auth", open: openAuth, operations: 66,
		secrets: []string{"Ada@auth.example", "ada@auth.example", "grace@auth.example", "+449005550100", "+449005550199", "password-hash", "confirm-token", "recover-token", "refresh-token",
			"totp-secret", "otp-hash", "198.51.100.7", "new-ada@auth"},
		parameters: map[string]string{"mysql": "multiStatements=true"},
	}.run(t)
}

// auth is the authentication server's store.
type auth struct {
	w  *world
	db *gorm.DB
}

func openAuth(w *world) (store, error) {
	db, err := openGorm(w)
	return &auth{w, db}, err
}

func (s *auth) close() error                   { return nil }
func (s *auth) up(ctx context.Context) error   { return golangMigrate(s.w, "auth", true) }
func (s *auth) down(ctx context.Context) error { return golangMigrate(s.w, "auth", false) }

type authUser struct {
	InstanceID        string
	ID                string `gorm:"primaryKey"`
	Aud               string
	Role              string
	Email             *string
	EncryptedPassword *string
	ConfirmationToken string
	RecoveryToken     string
	EmailChange       string
	LastSignInAt      *time.Time
	RawAppMetaData    document
	RawUserMetaData   document
	Phone             *string
	PhoneConfirmedAt  *time.Time
	PhoneChange       string
	IsSSOUser         bool `gorm:"column:is_sso_user"`
	CreatedAt         time.Time
	UpdatedAt         time.Time
	DeletedAt         gorm.DeletedAt
}

func (authUser) TableName() string { return "users" }

type authIdentity struct {
	ID           string `gorm:"primaryKey"`
	ProviderID   string
	UserID       string
	IdentityData document
	Provider     string
	Email        *string
	LastSignInAt *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (authIdentity) TableName() string { return "identities" }

type refreshToken struct {
	InstanceID string
	ID         int64 `gorm:"primaryKey"`
	Token      string
	UserID     string
	Parent     sql.NullString
	Revoked    bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

type oneTimeToken struct {
	ID        string `gorm:"primaryKey"`
	UserID    string
	TokenType string
	TokenHash string
	RelatesTo string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// uid is the n-th UUID.
func uid(n byte) string { return "00000000-0000-4000-8000-00000000000" + string('0'+n) }

func pointer[T any](v T) *T { return &v }

func authAccount(n byte, email, phone string) authUser {
	u := authUser{InstanceID: nid, ID: uid(n), Aud: "authenticated", Role: "user", EncryptedPassword: pointer("password-hash " + email), ConfirmationToken: "confirm-token-" + email,
		RawAppMetaData: `{"provider":"email","providers":["email"]}`, RawUserMetaData: `{}`, CreatedAt: oidcNow, UpdatedAt: oidcNow}
	if email != "" {
		u.Email = &email
	}
	if phone != "" {
		u.Phone = &phone
	}
	return u
}

// exec runs a statement of the application's own.
func (s *auth) exec(ctx context.Context, text string, args ...any) (any, error) {
	r := s.db.WithContext(ctx).Exec(text, args...)
	return r.RowsAffected, r.Error
}

// raw reads rows of a statement of the application's own.
func raw[T any](ctx context.Context, s *auth, text string, args ...any) (any, error) {
	found := []T{}
	err := s.db.WithContext(ctx).Raw(text, args...).Scan(&found).Error
	return found, err
}

// user is a look-up that fails with gorm.ErrRecordNotFound.
func (s *auth) user(ctx context.Context, where string, args ...any) (any, error) {
	var u authUser
	err := s.db.WithContext(ctx).Where(where, args...).First(&u).Error
	return []any{u, errors.Is(err, gorm.ErrRecordNotFound)}, err
}

func (s *auth) operations() []operation {
	return append(append(append(s.signUps(), s.lookUps()...), s.refreshTokens()...), s.others()...)
}

func (s *auth) signUps() []operation {
	return []operation{
		{"signs a user up", func(ctx context.Context) (any, error) {
			u := authAccount(1, "Ada@auth.example", "")
			r := s.db.WithContext(ctx).Create(&u)
			return r.RowsAffected, r.Error
		}},
		{"signs users up in one batch", func(ctx context.Context) (any, error) {
			us := []authUser{authAccount(2, "grace@auth.example", "+449005550100"), authAccount(3, "", "+449005550199"), authAccount(4, "kay@auth.example", "")}
			us[1].EncryptedPassword, us[2].ConfirmationToken = nil, ""
			r := s.db.WithContext(ctx).CreateInBatches(&us, 2)
			return r.RowsAffected, r.Error
		}},
		{"signs a user up without columns that have a default", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "INSERT INTO users (instance_id, id, aud, role, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)", nid, uid(5), "", "", oidcNow, oidcNow)
		}},
		{"signs a phone up twice", func(ctx context.Context) (any, error) {
			u := authAccount(6, "other@auth.example", "+449005550100")
			return nil, s.db.WithContext(ctx).Create(&u).Error
		}},
		{"signs a user up with an id that is taken", func(ctx context.Context) (any, error) {
			u := authAccount(1, "other@auth.example", "")
			u.ConfirmationToken = "other"
			return nil, s.db.WithContext(ctx).Create(&u).Error
		}},
		{"signs up and rolls back", func(ctx context.Context) (any, error) {
			return nil, s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				u := authAccount(7, "rolled@auth.example", "")
				if err := tx.Create(&u).Error; err != nil {
					return err
				}
				if err := tx.Model(&authUser{}).Where("id = ?", uid(2)).Update("email", "lost@auth.example").Error; err != nil {
					return err
				}
				return errors.New("the hook said no")
			})
		}},
		{"signs up within a savepoint", func(ctx context.Context) (any, error) {
			return nil, s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				inner := tx.Transaction(func(tx *gorm.DB) error {
					u := authAccount(8, "inner@auth.example", "+449005550100")
					return tx.Create(&u).Error
				})
				if inner == nil {
					return errors.New("the phone is not taken")
				}
				u := authAccount(8, "inner@auth.example", "")
				return tx.Create(&u).Error
			})
		}},
		{"confirms a user by token", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "UPDATE users SET confirmed_at = ?, confirmation_token = '', updated_at = ? WHERE confirmation_token = ?", oidcNow, oidcNow, "confirm-token-Ada@auth.example")
		}},
		{"confirms a user by a spent token", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "UPDATE users SET confirmed_at = ?, confirmation_token = '', updated_at = ? WHERE confirmation_token = ?", oidcNow, oidcNow, "confirm-token-Ada@auth.example")
		}},
		{"takes a confirmation token that another user has", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "UPDATE users SET confirmation_token = ? WHERE id = ?", "confirm-token-grace@auth.example", uid(4))
		}},
		{"updates some columns of a user", func(ctx context.Context) (any, error) {
			r := s.db.WithContext(ctx).Model(&authUser{ID: uid(1)}).Updates(map[string]any{"recovery_token": "recover-token-1", "last_sign_in_at": oidcNow, "updated_at": oidcNow})
			return r.RowsAffected, r.Error
		}},
		{"asks for a change of address", func(ctx context.Context) (any, error) {
			r := s.db.WithContext(ctx).Model(&authUser{ID: uid(1)}).Select("email_change", "updated_at").Updates(authUser{EmailChange: "new-ada@auth.example", UpdatedAt: oidcNow})
			return r.RowsAffected, r.Error
		}},
		{"saves a user as a whole", func(ctx context.Context) (any, error) {
			var u authUser
			if err := s.db.WithContext(ctx).First(&u, "id = ?", uid(4)).Error; err != nil {
				return nil, err
			}
			u.Phone, u.RawUserMetaData = pointer("+449005550144"), `{"name":"Kay"}`
			u.UpdatedAt = oidcNow
			r := s.db.WithContext(ctx).Session(&gorm.Session{SkipHooks: true}).Omit("updated_at").Save(&u)
			return r.RowsAffected, r.Error
		}},
		{"merges metadata beside protected columns", func(ctx context.Context) (any, error) {
			merge := "raw_app_meta_data || ?"
			if !s.w.postgres() {
				merge = "JSON_MERGE_PATCH(raw_app_meta_data, ?)"
			}
			return s.exec(ctx, "UPDATE users SET raw_app_meta_data = "+merge+", encrypted_password = ? WHERE id = ?", `{"claims_admin":true}`, "password-hash new", uid(2))
		}},
	}
}

func (s *auth) lookUps() []operation {
	text := func(postgres, mysql string) string {
		if s.w.postgres() {
			return postgres
		}
		return mysql
	}
	return []operation{
		{"finds a user by address and audience", func(ctx context.Context) (any, error) {
			return s.user(ctx, "instance_id = ? and LOWER(email) = ? and aud = ? and is_sso_user = false", nid, "ada@auth.example", "authenticated")
		}},
		{"finds nobody by address", func(ctx context.Context) (any, error) {
			return s.user(ctx, "instance_id = ? and LOWER(email) = ?", nid, "nobody@auth.example")
		}},
		{"finds a user by phone", func(ctx context.Context) (any, error) {
			return s.user(ctx, "instance_id = ? and phone = ? and aud = ? and is_sso_user = false", nid, "+449005550100", "authenticated")
		}},
		{"finds a user by one of two tokens", func(ctx context.Context) (any, error) {
			return s.user(ctx, "confirmation_token = ? OR recovery_token = ?", "recover-token-1", "recover-token-1")
		}},
		{"finds a user by a token that is not empty", func(ctx context.Context) (any, error) {
			return s.user(ctx, "recovery_token = ? AND recovery_token <> ''", "")
		}},
		{"finds a user by one of several addresses", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return raw[authUser](ctx, s, "SELECT * FROM users WHERE lower(email) = any(?) ORDER BY id", pgArray{"ada@auth.example", "kay@auth.example"})
			}
			return raw[authUser](ctx, s, "SELECT * FROM users WHERE lower(email) IN ? ORDER BY id", []string{"ada@auth.example", "kay@auth.example"})
		}},
		{"finds a user by address or by the change of it", func(ctx context.Context) (any, error) {
			return s.user(ctx, "email_change = ? OR email = ?", "new-ada@auth.example", "new-ada@auth.example")
		}},
		{"counts users whose address is taken by another's change", func(ctx context.Context) (any, error) {
			return raw[int64](ctx, s, "SELECT count(*) FROM users u WHERE EXISTS (SELECT 1 FROM users o WHERE o.email_change = u.email AND o.id <> u.id)")
		}},
		{"counts users without an address", func(ctx context.Context) (any, error) {
			return raw[int64](ctx, s, "SELECT count(*) FROM users WHERE email IS NULL OR email = ''")
		}},
		{"counts users that have no address, phone or password", func(ctx context.Context) (any, error) {
			return raw[int64](ctx, s, "SELECT count(*) FROM users WHERE COALESCE(email, '') = '' AND COALESCE(phone, '') = '' AND coalesce(encrypted_password, '') = ''")
		}},
		{"says what a user can sign in with", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, "SELECT id, email IS NOT NULL AND email <> '' AS has_email, CASE WHEN phone IS NULL THEN 'none' ELSE 'phone' END AS kind, COALESCE(phone, '') AS phone FROM users ORDER BY id")
		}},
		{"lists users without a password", func(ctx context.Context) (any, error) {
			return raw[string](ctx, s, "SELECT id FROM users WHERE encrypted_password IS NULL OR length(encrypted_password) = 0 ORDER BY id")
		}},
		{"lists users for the administrator", func(ctx context.Context) (any, error) {
			var us []authUser
			var n int64
			q := s.db.WithContext(ctx).Model(&authUser{}).Where("instance_id = ? and aud = ?", nid, "authenticated")
			if err := q.Count(&n).Error; err != nil {
				return nil, err
			}
			err := q.Order("created_at desc, id asc").Limit(2).Offset(1).Find(&us).Error
			return []any{us, n}, err
		}},
		{"lists users by a dynamic filter", func(ctx context.Context) (any, error) {
			q := s.db.WithContext(ctx).Model(&authUser{}).Select("id", "email", "phone")
			for _, f := range []struct {
				column string
				value  any
			}{{"email", "grace@auth.example"}, {"phone", "+449005550100"}, {"aud", "authenticated"}} {
				q = q.Where(f.column+" = ?", f.value)
			}
			var us []authUser
			return us, q.Find(&us).Error
		}},
		{"lists contacts of all kinds", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, s.w.sql(`SELECT id, email, NULL AS phone FROM users WHERE email IS NOT NULL UNION ALL SELECT id, NULL, phone FROM users WHERE phone IS NOT NULL AND email IS NULL ORDER BY 1`))
		}},
		{"lists users and identities in one list", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, text(`SELECT id, email, 'user' AS kind, NULL::text AS provider FROM users WHERE id = '`+uid(1)+`' UNION SELECT id, NULL, 'identity', provider FROM identities ORDER BY kind`,
				`SELECT id, email, 'user' AS kind, NULL AS provider FROM users WHERE id = '`+uid(1)+`' UNION SELECT id, NULL, 'identity', provider FROM identities ORDER BY kind`))
		}},
		{"deletes a user softly", func(ctx context.Context) (any, error) {
			r := s.db.WithContext(ctx).Model(&authUser{}).Where("id = ? AND deleted_at IS NULL", uid(3)).Updates(map[string]any{"deleted_at": oidcNow, "email": gorm.Expr("NULL"), "phone": "", "encrypted_password": nil})
			return r.RowsAffected, r.Error
		}},
		{"does not find a deleted user", func(ctx context.Context) (any, error) {
			return s.user(ctx, "id = ?", uid(3))
		}},
		{"finds a deleted user unscoped", func(ctx context.Context) (any, error) {
			var u authUser
			err := s.db.WithContext(ctx).Unscoped().Where("phone = ''").Take(&u).Error
			return u, err
		}},
	}
}
