package applications

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func refresh(n, parent string, user byte) refreshToken {
	return refreshToken{InstanceID: nid, Token: "refresh-token-" + n, UserID: uid(user), Parent: sql.NullString{String: "refresh-token-" + parent, Valid: parent != ""}, CreatedAt: oidcNow, UpdatedAt: oidcNow}
}

func (s *auth) refreshTokens() []operation {
	family := `WITH RECURSIVE token_family AS (
  SELECT id, user_id, token, revoked, parent FROM refresh_tokens WHERE parent = ?
  UNION
  SELECT r.id, r.user_id, r.token, r.revoked, r.parent FROM refresh_tokens r INNER JOIN token_family t ON t.token = r.parent
) `
	return []operation{
		{"issues a refresh token", func(ctx context.Context) (any, error) {
			x := refresh("a", "", 1)
			return x.ID, s.db.WithContext(ctx).Create(&x).Error
		}},
		{"issues a family of tokens", func(ctx context.Context) (any, error) {
			xs := []refreshToken{refresh("b", "a", 1), refresh("c", "b", 1), refresh("d", "c", 1), refresh("x", "", 2)}
			if err := s.db.WithContext(ctx).Create(&xs).Error; err != nil {
				return nil, err
			}
			return xs, nil
		}},
		{"issues a token twice", func(ctx context.Context) (any, error) {
			x := refresh("a", "", 1)
			return nil, s.db.WithContext(ctx).Create(&x).Error
		}},
		{"swaps a token under a lock", func(ctx context.Context) (any, error) {
			var next refreshToken
			err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				var x refreshToken
				if err := tx.Raw("SELECT * FROM refresh_tokens WHERE token = ? LIMIT 1 FOR UPDATE SKIP LOCKED", "refresh-token-d").Scan(&x).Error; err != nil {
					return err
				}
				if x.ID == 0 {
					return sql.ErrNoRows
				}
				if err := tx.Model(&x).Updates(map[string]any{"revoked": true, "updated_at": oidcNow}).Error; err != nil {
					return err
				}
				next = refresh("e", "d", 1)
				return tx.Create(&next).Error
			})
			return next, err
		}},
		{"locks a token of nobody", func(ctx context.Context) (any, error) {
			return raw[refreshToken](ctx, s, "SELECT * FROM refresh_tokens WHERE token = ? LIMIT 1 FOR UPDATE SKIP LOCKED", "refresh-token-nobody")
		}},
		{"finds the user of a token", func(ctx context.Context) (any, error) {
			return raw[authUser](ctx, s, "SELECT * FROM users WHERE id = (SELECT user_id FROM refresh_tokens WHERE token = ? AND revoked = false)", "refresh-token-x")
		}},
		{"finds a token with its user", func(ctx context.Context) (any, error) {
			type joined struct {
				Token string
				Email *string
			}
			return raw[joined](ctx, s, "SELECT r.token, u.email FROM refresh_tokens r JOIN users u ON u.id = r.user_id WHERE r.token IN ? ORDER BY r.id", []string{"refresh-token-a", "refresh-token-x"})
		}},
		{"finds a token's child", func(ctx context.Context) (any, error) {
			return raw[refreshToken](ctx, s, "SELECT c.* FROM refresh_tokens c, refresh_tokens p WHERE c.parent = p.token AND p.token = ?", "refresh-token-a")
		}},
		{"finds the last token of each user", func(ctx context.Context) (any, error) {
			return raw[refreshToken](ctx, s, "SELECT * FROM refresh_tokens r WHERE r.id = (SELECT max(i.id) FROM refresh_tokens i WHERE i.user_id = r.user_id) ORDER BY r.id")
		}},
		{"finds tokens that have no child", func(ctx context.Context) (any, error) {
			return raw[int64](ctx, s, "SELECT r.id FROM refresh_tokens r WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens c WHERE c.parent = r.token) ORDER BY 1")
		}},
		{"finds roots of families", func(ctx context.Context) (any, error) {
			return raw[int64](ctx, s, "SELECT id FROM refresh_tokens WHERE parent IS NULL OR parent NOT IN (SELECT token FROM refresh_tokens WHERE token IS NOT NULL) ORDER BY id")
		}},
		{"finds a family of tokens", func(ctx context.Context) (any, error) {
			return raw[refreshToken](ctx, s, family+"SELECT id, token, parent FROM token_family ORDER BY id", "refresh-token-b")
		}},
		{"revokes a family of tokens", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return s.exec(ctx, family+"UPDATE refresh_tokens r SET revoked = true FROM token_family WHERE token_family.id = r.id", "refresh-token-b")
			}
			return s.exec(ctx, "UPDATE refresh_tokens SET revoked = true WHERE id IN ("+family+"SELECT id FROM token_family)", "refresh-token-b")
		}},
		{"cleans revoked tokens up in batches", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return s.exec(ctx, "WITH to_delete AS (SELECT id FROM refresh_tokens WHERE updated_at < ? AND revoked IS TRUE ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM to_delete)", oidcNow.Add(time.Hour))
			}
			return s.exec(ctx, "DELETE FROM refresh_tokens WHERE updated_at < ? AND revoked IS TRUE ORDER BY id LIMIT 1", oidcNow.Add(time.Hour))
		}},
		{"revokes tokens of a user but one", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "UPDATE refresh_tokens SET revoked = true, updated_at = ? WHERE user_id = ? AND token <> ? AND revoked = false", oidcNow, uid(1), "refresh-token-e")
		}},
	}
}

func (s *auth) others() []operation {
	identity := func(n byte, email string) authIdentity {
		return authIdentity{ID: uid(n), ProviderID: "sub-" + string('0'+n), UserID: uid(1), IdentityData: document(`{"sub": "1", "email": "` + email + `"}`), Provider: "github", Email: &email, CreatedAt: oidcNow, UpdatedAt: oidcNow}
	}
	onConflict := clause.OnConflict{Columns: []clause.Column{{Name: "provider_id"}, {Name: "provider"}}, DoUpdates: clause.AssignmentColumns([]string{"identity_data", "email", "updated_at"})}
	oneTime := func(ctx context.Context, kind, hash string) (any, error) {
		return nil, s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec("delete from one_time_tokens where user_id = ? and token_type = ?", uid(1), kind).Error; err != nil {
				return err
			}
			return tx.Create(&oneTimeToken{ID: uid(byte(len(kind) % 10)), UserID: uid(1), TokenType: kind, TokenHash: hash, RelatesTo: "Ada@auth.example", CreatedAt: oidcNow, UpdatedAt: oidcNow}).Error
		})
	}
	return []operation{
		{"links identities", func(ctx context.Context) (any, error) {
			xs := []authIdentity{identity(1, "Ada@auth.example"), identity(2, "ada@work.example")}
			r := s.db.WithContext(ctx).Create(&xs)
			return r.RowsAffected, r.Error
		}},
		{"links an identity twice", func(ctx context.Context) (any, error) {
			x := identity(3, "eve@auth.example")
			x.ProviderID = "sub-1"
			return nil, s.db.WithContext(ctx).Create(&x).Error
		}},
		{"links an identity of nobody", func(ctx context.Context) (any, error) {
			x := identity(4, "eve@auth.example")
			x.UserID = uid(9)
			return nil, s.db.WithContext(ctx).Create(&x).Error
		}},
		{"refreshes an identity by its provider", func(ctx context.Context) (any, error) {
			x := identity(2, "ada@new.example")
			r := s.db.WithContext(ctx).Clauses(onConflict).Create(&x)
			return r.RowsAffected, r.Error
		}},
		{"finds identities by one of several addresses", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return raw[authIdentity](ctx, s, "select * from identities where email = any(?) order by id", pgArray{"Ada@auth.example", "ada@new.example", ""})
			}
			return raw[authIdentity](ctx, s, "select * from identities where email in ? order by id", []string{"ada@auth.example", "ada@new.example", ""})
		}},
		{"finds users of linked identities by address", func(ctx context.Context) (any, error) {
			return raw[authUser](ctx, s, "select distinct u.* from users u join identities i on i.user_id = u.id where i.email = ? or u.email = ?", "Ada@auth.example", "Ada@auth.example")
		}},
		{"finds users whose address is an identity's", func(ctx context.Context) (any, error) {
			return raw[string](ctx, s, "select u.id from users u where u.email in (select i.email from identities i where i.provider = ?)", "github")
		}},
		{"sends a one-time token, and again", func(ctx context.Context) (any, error) {
			if v, err := oneTime(ctx, "recovery_token", "otp-hash-1"); err != nil {
				return v, err
			}
			return oneTime(ctx, "recovery_token", "otp-hash-2")
		}},
		{"sends a one-time token of another kind", func(ctx context.Context) (any, error) {
			return oneTime(ctx, "email_change_token_new", "otp-hash-3")
		}},
		{"finds a one-time token", func(ctx context.Context) (any, error) {
			return raw[oneTimeToken](ctx, s, "select * from one_time_tokens where (token_hash = ? or token_hash = ?) and token_type in ? limit 1", "otp-hash-2", "pkce_"+"otp-hash-2", []string{"recovery_token", "confirmation_token"})
		}},
		{"finds one-time tokens by what they relate to", func(ctx context.Context) (any, error) {
			return raw[oneTimeToken](ctx, s, "select * from one_time_tokens where lower(relates_to) = lower(?) and created_at > ? order by token_type", "ADA@auth.example", oidcNow.Add(-time.Hour))
		}},
		{"enrols a factor", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "INSERT INTO mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, secret) VALUES (?, ?, ?, ?, ?, ?, ?)", uid(1), uid(1), "", "totp", "unverified", oidcNow, "totp-secret-1")
		}},
		{"verifies a factor and forgets the others", func(ctx context.Context) (any, error) {
			var left []struct{ ID, Secret string }
			err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Exec("UPDATE mfa_factors SET status = 'verified', phone = ? WHERE id = ? AND status = 'unverified'", "+449005550100", uid(1)).Error,
					tx.Exec("DELETE FROM mfa_factors WHERE user_id = ? AND status <> ?", uid(1), "verified").Error,
					tx.Raw("SELECT id, secret FROM mfa_factors WHERE user_id = ?", uid(1)).Scan(&left).Error)
			})
			return left, err
		}},
		{"logs an event", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "INSERT INTO audit_log_entries (instance_id, id, payload, created_at, ip_address) VALUES (?, ?, ?, ?, ?)", nid, uid(1), `{"action":"login","actor_username":"ada@auth.example","traits":{"phone":"+449005550100","n":1}}`, oidcNow, "198.51.100.7")
		}},
		{"logs an event without an address", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "INSERT INTO audit_log_entries (instance_id, id, payload, created_at) VALUES (?, ?, ?, ?)", nid, uid(2), `{"action":"logout","actor_username":"ada@auth.example"}`, oidcNow)
		}},
		{"finds events by their action", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return raw[auditEntry](ctx, s, "SELECT id, payload, ip_address FROM audit_log_entries WHERE instance_id = ? AND payload->>'action' ILIKE ? ORDER BY created_at DESC", nid, "%LOG%in%")
			}
			return raw[auditEntry](ctx, s, "SELECT id, payload, ip_address FROM audit_log_entries WHERE instance_id = ? AND JSON_UNQUOTE(JSON_EXTRACT(payload, '$.action')) LIKE ? ORDER BY created_at DESC", nid, "%log%in%")
		}},
		{"shows who acted", func(ctx context.Context) (any, error) {
			if s.w.postgres() {
				return rows(ctx, s.w.db, "SELECT id, payload->>'actor_username' AS actor FROM audit_log_entries ORDER BY id")
			}
			return rows(ctx, s.w.db, "SELECT id, JSON_UNQUOTE(JSON_EXTRACT(payload, '$.actor_username')) AS actor FROM audit_log_entries ORDER BY id")
		}},
		{"deletes a user with what hangs on it", func(ctx context.Context) (any, error) {
			r := s.db.WithContext(ctx).Unscoped().Where("phone = ?", "+449005550144").Delete(&authUser{})
			return r.RowsAffected, r.Error
		}},
	}
}

type auditEntry struct {
	ID        string
	Payload   document
	IPAddress string `gorm:"column:ip_address"`
}
