package applications

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// TestCIServer is a CI server on sqlx, with named parameters, and goose: users with tokens,
// repositories, builds, logs, and secrets that are found by repository and name.
func TestCIServer(t *testing.T) {
	application{
		name: "ci", open: openCI, mode: 1, operations: 58,
		secrets: []string{"octo-ada", "grace-hopper", "ada@ci.example", "grace@ci.example", "oauth-token", "oauth-refresh", "api-hash", "signing-key", "webhook-secret",
			"DEPLOY-KEY-VALUE", "a secret line of the log", "params-of-the-build", "could not clone"},
	}.run(t)
}

// ci is the CI server's store.
type ci struct {
	w  *world
	db *sqlx.DB
}

func openCI(w *world) (store, error) { return &ci{w, sqlx.NewDb(w.db, w.driver)}, nil }

func (s *ci) close() error { return nil }

func (s *ci) migrations() (*goose.Provider, error) {
	dialect := goose.DialectMySQL
	if s.w.postgres() {
		dialect = goose.DialectPostgres
	}
	return goose.NewProvider(dialect, s.w.db, os.DirFS("testdata/ci/"+s.w.dialect()), goose.WithDisableGlobalRegistry(true))
}

func (s *ci) up(ctx context.Context) error {
	p, err := s.migrations()
	if err == nil {
		_, err = p.Up(ctx)
	}
	return err
}

func (s *ci) down(ctx context.Context) error {
	p, err := s.migrations()
	if err == nil {
		_, err = p.DownTo(ctx, 0)
	}
	return err
}

type ciUser struct {
	ID        int64          `db:"user_id"`
	Login     string         `db:"user_login"`
	Email     string         `db:"user_email"`
	Admin     bool           `db:"user_admin"`
	Machine   bool           `db:"user_machine"`
	Active    bool           `db:"user_active"`
	Avatar    string         `db:"user_avatar"`
	Synced    int64          `db:"user_synced"`
	Created   int64          `db:"user_created"`
	Updated   int64          `db:"user_updated"`
	LastLogin int64          `db:"user_last_login"`
	Token     sql.NullString `db:"user_oauth_token"`
	Refresh   sql.NullString `db:"user_oauth_refresh"`
	Expiry    int64          `db:"user_oauth_expiry"`
	Hash      string         `db:"user_hash"`
	Deleted   sql.NullTime   `db:"user_deleted"`
}

const (
	userColumns = `user_id, user_login, user_email, user_admin, user_machine, user_active, user_avatar, user_synced, user_created, user_updated, user_last_login, user_oauth_token, user_oauth_refresh, user_oauth_expiry, user_hash`
	userInsert  = `
INSERT INTO users (
 user_login
,user_email
,user_admin
,user_machine
,user_active
,user_avatar
,user_synced
,user_created
,user_updated
,user_last_login
,user_oauth_token
,user_oauth_refresh
,user_oauth_expiry
,user_hash
) VALUES (
 :user_login
,:user_email
,:user_admin
,:user_machine
,:user_active
,:user_avatar
,:user_synced
,:user_created
,:user_updated
,:user_last_login
,:user_oauth_token
,:user_oauth_refresh
,:user_oauth_expiry
,:user_hash
)`
	userUpdate = `
UPDATE users SET
 user_email = :user_email
,user_admin = :user_admin
,user_active = :user_active
,user_avatar = :user_avatar
,user_updated = :user_updated
,user_oauth_token = :user_oauth_token
,user_oauth_refresh = :user_oauth_refresh
,user_oauth_expiry = :user_oauth_expiry
,user_hash = :user_hash
WHERE user_id = :user_id`
)

// create inserts by name and returns the key that the server made.
func (s *ci) create(ctx context.Context, q sqlx.ExtContext, text, key string, arg any) (id int64, err error) {
	if !s.w.postgres() {
		r, err := sqlx.NamedExecContext(ctx, q, text, arg)
		if err != nil {
			return 0, err
		}
		return r.LastInsertId()
	}
	bound, args, err := s.db.BindNamed(text+" RETURNING "+key, arg)
	if err != nil {
		return 0, err
	}
	return id, q.QueryRowxContext(ctx, bound, args...).Scan(&id)
}

// named runs a statement by name and returns how many rows it wrote.
func named(ctx context.Context, q sqlx.ExtContext, text string, arg any) (any, error) {
	r, err := sqlx.NamedExecContext(ctx, q, text, arg)
	if err != nil {
		return nil, err
	}
	return r.RowsAffected()
}

// list reads rows by name.
func list[T any](ctx context.Context, s *ci, text string, arg map[string]any) (any, error) {
	found := []T{}
	bound, args, err := s.db.BindNamed(text, arg)
	if err != nil {
		return nil, err
	}
	return found, sqlx.SelectContext(ctx, s.db, &found, bound, args...)
}

// get reads one row by name, or fails with sql.ErrNoRows.
func get[T any](ctx context.Context, s *ci, text string, arg map[string]any) (any, error) {
	var found T
	bound, args, err := s.db.BindNamed(text, arg)
	if err != nil {
		return nil, err
	}
	err = sqlx.GetContext(ctx, s.db, &found, bound, args...)
	return found, err
}

func ciAccount(login, email string) ciUser {
	return ciUser{Login: login, Email: email, Active: true, Avatar: "https://avatars.example/" + "1", Created: 1700000000, Updated: 1700000000,
		Token: sql.NullString{String: "oauth-token of " + login, Valid: true}, Refresh: sql.NullString{String: "", Valid: true}, Hash: "api-hash-" + login}
}

func (s *ci) operations() []operation {
	return append(append(append(s.users(), s.repositories()...), s.builds()...), s.secrets()...)
}

// args are named parameters.
type args = map[string]any

func (s *ci) users() []operation {
	return []operation{
		{"creates the first user", func(ctx context.Context) (any, error) {
			return s.create(ctx, s.db, userInsert, "user_id", ciAccount("octo-ada", "Ada@ci.example"))
		}},
		{"creates a machine without e-mail", func(ctx context.Context) (any, error) {
			u := ciAccount("robot", "")
			u.Machine, u.Token, u.Refresh = true, sql.NullString{}, sql.NullString{}
			return s.create(ctx, s.db, userInsert, "user_id", u)
		}},
		{"creates users in a transaction", func(ctx context.Context) (any, error) {
			tx, err := s.db.BeginTxx(ctx, nil)
			if err != nil {
				return nil, err
			}
			defer func() { _ = tx.Rollback() }() // after Commit this does nothing
			var ids []int64
			for _, u := range []ciUser{ciAccount("grace-hopper", "grace@ci.example"), ciAccount("Brendan", "brendan@ci.example")} {
				id, err := s.create(ctx, tx, userInsert, "user_id", u)
				if err != nil {
					return nil, err
				}
				ids = append(ids, id)
			}
			return ids, tx.Commit()
		}},
		{"rolls a transaction back whose login is taken", func(ctx context.Context) (any, error) {
			tx, err := s.db.BeginTxx(ctx, nil)
			if err != nil {
				return nil, err
			}
			if _, err := named(ctx, tx, "UPDATE users SET user_email = :email WHERE user_login = :login", args{"email": "lost@ci.example", "login": "robot"}); err != nil {
				return nil, errors.Join(err, tx.Rollback())
			}
			u := ciAccount("octo-ada", "other@ci.example")
			u.Hash = "another"
			_, err = s.create(ctx, tx, userInsert, "user_id", u)
			return nil, errors.Join(err, tx.Rollback())
		}},
		{"finds a user by login", func(ctx context.Context) (any, error) {
			return get[ciUser](ctx, s, "SELECT "+userColumns+" FROM users WHERE user_login = :user_login", args{"user_login": "octo-ada"})
		}},
		{"finds nobody by login", func(ctx context.Context) (any, error) {
			return get[ciUser](ctx, s, "SELECT "+userColumns+" FROM users WHERE user_login = :user_login", args{"user_login": "nobody"})
		}},
		{"finds a user by token", func(ctx context.Context) (any, error) {
			return get[ciUser](ctx, s, "SELECT * FROM users WHERE user_hash = :user_hash", args{"user_hash": "api-hash-grace-hopper"})
		}},
		{"finds a user by e-mail in any case", func(ctx context.Context) (any, error) {
			return get[ciUser](ctx, s, "SELECT "+userColumns+" FROM users WHERE LOWER(user_email) = LOWER(:email)", args{"email": "ADA@ci.example"})
		}},
		{"finds a user by login or e-mail", func(ctx context.Context) (any, error) {
			return list[ciUser](ctx, s, "SELECT "+userColumns+" FROM users WHERE user_login = :name OR LOWER(user_email) = LOWER(:name) ORDER BY user_id", args{"name": "grace@ci.example"})
		}},
		{"updates a user as a whole", func(ctx context.Context) (any, error) {
			u, err := get[ciUser](ctx, s, "SELECT * FROM users WHERE user_login = :login", args{"login": "octo-ada"})
			if err != nil {
				return nil, err
			}
			x := u.(ciUser)
			x.Token.String, x.Refresh = "oauth-token renewed", sql.NullString{String: "oauth-refresh", Valid: true}
			x.Updated++
			return named(ctx, s.db, userUpdate, x)
		}},
		{"takes a token that another user has", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE users SET user_hash = :hash WHERE user_login = :login", args{"hash": "api-hash-octo-ada", "login": "robot"})
		}},
		{"counts humans", func(ctx context.Context) (any, error) {
			return get[int64](ctx, s, "SELECT COUNT(*) FROM users WHERE user_machine = :machine", args{"machine": false})
		}},
		{"counts users with an e-mail", func(ctx context.Context) (any, error) {
			return get[int64](ctx, s, "SELECT COUNT(user_id) FROM users WHERE user_email <> ''", args{})
		}},
		{"lists users a page at a time", func(ctx context.Context) (any, error) {
			return list[ciUser](ctx, s, "SELECT "+userColumns+" FROM users ORDER BY user_id LIMIT :limit OFFSET :offset", args{"limit": 2, "offset": 1})
		}},
		{"lists tokens that are about to expire", func(ctx context.Context) (any, error) {
			return list[ciUser](ctx, s, "SELECT "+userColumns+" FROM users WHERE user_oauth_expiry < :before AND user_oauth_refresh IS NOT NULL AND user_oauth_refresh <> '' ORDER BY user_id", args{"before": 1800000000})
		}},
		{"forgets a token", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE users SET user_oauth_token = NULL, user_oauth_refresh = '' WHERE user_login IN (:a, :b)", args{"a": "grace-hopper", "b": "nobody"})
		}},
		{"deletes a user softly", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE users SET user_deleted = :at, user_active = :active WHERE user_login = :login AND user_deleted IS NULL", args{"at": oidcNow, "active": false, "login": "Brendan"})
		}},
		{"lists users that are there", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, "SELECT user_id, user_login, user_oauth_token FROM users WHERE user_deleted IS NULL ORDER BY user_id")
		}},
	}
}

type ciRepo struct {
	ID        int64          `db:"repo_id"`
	UID       string         `db:"repo_uid"`
	UserID    int64          `db:"repo_user_id"`
	Namespace string         `db:"repo_namespace"`
	Name      string         `db:"repo_name"`
	Slug      string         `db:"repo_slug"`
	Counter   int64          `db:"repo_counter"`
	Active    bool           `db:"repo_active"`
	Version   int64          `db:"repo_version"`
	Signer    sql.NullString `db:"repo_signer"`
	Secret    sql.NullString `db:"repo_secret"`
}

const repoInsert = `INSERT INTO repos (repo_uid, repo_user_id, repo_namespace, repo_name, repo_slug, repo_counter, repo_active, repo_version, repo_signer, repo_secret)
VALUES (:repo_uid, :repo_user_id, :repo_namespace, :repo_name, :repo_slug, :repo_counter, :repo_active, :repo_version, :repo_signer, :repo_secret)`

func repository(name string) ciRepo {
	return ciRepo{UID: "uid-" + name, UserID: 1, Namespace: "octo", Name: name, Slug: "octo/" + name, Active: true,
		Signer: sql.NullString{String: "signing-key of " + name, Valid: true}, Secret: sql.NullString{String: "webhook-secret", Valid: name != "docs"}}
}

func (s *ci) repositories() []operation {
	perms := `INSERT INTO perms (perm_user_id, perm_repo_uid, perm_read, perm_write, perm_admin, perm_synced) VALUES (:user, :repo, :read, :write, :admin, :synced) `
	if s.w.postgres() {
		perms += `ON CONFLICT (perm_user_id, perm_repo_uid) DO UPDATE SET perm_read = EXCLUDED.perm_read, perm_write = EXCLUDED.perm_write, perm_synced = EXCLUDED.perm_synced`
	} else {
		perms += `ON DUPLICATE KEY UPDATE perm_read = VALUES(perm_read), perm_write = VALUES(perm_write), perm_synced = VALUES(perm_synced)`
	}
	type joined struct {
		Slug  string         `db:"repo_slug"`
		Login sql.NullString `db:"user_login"`
		Read  sql.NullBool   `db:"perm_read"`
	}
	return []operation{
		{"creates repositories", func(ctx context.Context) (any, error) {
			var ids []int64
			for _, name := range []string{"hello", "world", "docs"} {
				id, err := s.create(ctx, s.db, repoInsert, "repo_id", repository(name))
				if err != nil {
					return ids, err
				}
				ids = append(ids, id)
			}
			return ids, nil
		}},
		{"creates a repository twice", func(ctx context.Context) (any, error) {
			return s.create(ctx, s.db, repoInsert, "repo_id", repository("hello"))
		}},
		{"finds a repository by its slug", func(ctx context.Context) (any, error) {
			return get[ciRepo](ctx, s, "SELECT * FROM repos WHERE repo_slug = :slug", args{"slug": "octo/hello"})
		}},
		{"gives permissions, and again", func(ctx context.Context) (any, error) {
			first, err := named(ctx, s.db, perms, args{"user": 1, "repo": "uid-hello", "read": true, "write": false, "admin": false, "synced": 1})
			if err != nil {
				return nil, err
			}
			second, err := named(ctx, s.db, perms, args{"user": 1, "repo": "uid-hello", "read": true, "write": true, "admin": false, "synced": 2})
			return []any{first, second}, err
		}},
		{"counts a build up under an optimistic lock", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE repos SET repo_version = :new, repo_counter = :counter, repo_secret = :secret WHERE repo_id = :id AND repo_version = :old", args{"new": 1, "old": 0, "counter": 1, "id": 1, "secret": "webhook-secret 2"})
		}},
		{"loses an optimistic lock", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE repos SET repo_version = :new, repo_counter = :counter, repo_secret = :secret WHERE repo_id = :id AND repo_version = :old", args{"new": 1, "old": 0, "counter": 1, "id": 1, "secret": "webhook-secret 3"})
		}},
		{"lists repositories with their owners and permissions", func(ctx context.Context) (any, error) {
			return list[joined](ctx, s, `SELECT repo_slug, user_login, perm_read FROM repos LEFT JOIN users ON repo_user_id = user_id LEFT OUTER JOIN perms ON perm_repo_uid = repo_uid AND perm_user_id = user_id WHERE repo_active = :active ORDER BY repo_slug`, args{"active": true})
		}},
		{"lists collaborators", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, s.db.Rebind("SELECT perm_read, perm_write, user_login, user_avatar, user_email FROM users INNER JOIN perms ON user_id = perm_user_id WHERE perm_repo_uid = ? ORDER BY user_login = '' DESC"), "uid-hello")
		}},
		{"updates repositories without touching secrets", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "UPDATE repos SET repo_active = :active WHERE repo_namespace = :ns AND repo_name <> :name", args{"active": false, "ns": "octo", "name": "hello"})
		}},
	}
}
