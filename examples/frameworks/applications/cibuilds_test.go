package applications

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"
)

type ciBuild struct {
	ID       int64          `db:"build_id"`
	RepoID   int64          `db:"build_repo_id"`
	Number   int64          `db:"build_number"`
	Status   string         `db:"build_status"`
	Error    sql.NullString `db:"build_error"`
	Event    string         `db:"build_event"`
	Target   string         `db:"build_target"`
	Author   string         `db:"build_author"`
	Email    string         `db:"build_author_email"`
	Params   document       `db:"build_params"`
	Created  int64          `db:"build_created"`
	Finished int64          `db:"build_finished"`
	Version  int64          `db:"build_version"`
}

const (
	buildColumns = "build_id, build_repo_id, build_number, build_status, build_error, build_event, build_target, build_author, build_author_email, build_params, build_created, build_finished, build_version"
	buildInsert  = `INSERT INTO builds (build_repo_id, build_number, build_status, build_error, build_event, build_target, build_author, build_author_email, build_params, build_created, build_finished, build_version)
VALUES (:build_repo_id, :build_number, :build_status, :build_error, :build_event, :build_target, :build_author, :build_author_email, :build_params, :build_created, :build_finished, :build_version)`
	buildUpdate = `UPDATE builds SET build_status = :build_status, build_error = :build_error, build_finished = :build_finished, build_version = :build_version_new WHERE build_id = :build_id AND build_version = :build_version_old`
)

func build(repo, number int64) ciBuild {
	return ciBuild{RepoID: repo, Number: number, Status: "pending", Event: "push", Target: "main", Author: "ada", Email: "ada@ci.example",
		Params: `{"key": "params-of-the-build", "n": 1}`, Created: 1700000000 + number}
}

func (s *ci) builds() []operation {
	latest := "INSERT INTO latest (latest_repo_id, latest_type, latest_name, latest_build, latest_updated) VALUES (:repo, :type, :name, :build, :at) "
	if s.w.postgres() {
		latest += "ON CONFLICT (latest_repo_id, latest_type, latest_name) DO UPDATE SET latest_build = EXCLUDED.latest_build, latest_updated = EXCLUDED.latest_updated"
	} else {
		latest += "ON DUPLICATE KEY UPDATE latest_build = VALUES(latest_build), latest_updated = VALUES(latest_updated)"
	}
	logs := "INSERT INTO logs (log_id, log_data) VALUES (:id, :data) "
	if s.w.postgres() {
		logs += "ON CONFLICT (log_id) DO UPDATE SET log_data = EXCLUDED.log_data"
	} else {
		logs += "ON DUPLICATE KEY UPDATE log_data = VALUES(log_data)"
	}
	return []operation{
		{"creates builds", func(ctx context.Context) (any, error) {
			var ids []int64
			for n := range int64(5) {
				b := build(1+n%2, n+1)
				b.Error = sql.NullString{String: fmt.Sprint("could not clone ", n), Valid: n > 1}
				id, err := s.create(ctx, s.db, buildInsert, "build_id", b)
				if err != nil {
					return ids, err
				}
				ids = append(ids, id)
			}
			return ids, nil
		}},
		{"creates a build without columns that have a default", func(ctx context.Context) (any, error) {
			return s.create(ctx, s.db, "INSERT INTO builds (build_repo_id, build_number, build_status, build_version) VALUES (:repo, :number, 'running', 0)", "build_id", args{"repo": 1, "number": 90})
		}},
		{"creates a build of a number that is taken", func(ctx context.Context) (any, error) {
			return s.create(ctx, s.db, buildInsert, "build_id", build(1, 1))
		}},
		{"creates a build of a repository that does not exist", func(ctx context.Context) (any, error) {
			return s.create(ctx, s.db, buildInsert, "build_id", build(77, 1))
		}},
		{"creates many builds with one statement", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "INSERT INTO builds (build_repo_id, build_number, build_status, build_error, build_event, build_target, build_author, build_author_email, build_params, build_created, build_finished, build_version) VALUES (:build_repo_id, :build_number, :build_status, :build_error, :build_event, :build_target, :build_author, :build_author_email, :build_params, :build_created, :build_finished, :build_version)",
				[]ciBuild{build(2, 40), build(2, 41), build(2, 42)})
		}},
		{"finishes a build under an optimistic lock", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, buildUpdate, args{"build_status": "failure", "build_error": "could not clone the rest", "build_finished": 1700000500, "build_version_new": 1, "build_version_old": 0, "build_id": 1})
		}},
		{"finds that a build was finished", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, buildUpdate, args{"build_status": "success", "build_error": nil, "build_finished": 1700000501, "build_version_new": 1, "build_version_old": 0, "build_id": 1})
		}},
		{"finds a build by its number", func(ctx context.Context) (any, error) {
			return get[ciBuild](ctx, s, "SELECT "+buildColumns+" FROM builds WHERE build_repo_id = :repo AND build_number = :number", args{"repo": 1, "number": 1})
		}},
		{"lists builds, newest first", func(ctx context.Context) (any, error) {
			return list[ciBuild](ctx, s, "SELECT "+buildColumns+" FROM builds WHERE build_repo_id = :repo AND build_author IS NOT NULL ORDER BY build_number DESC LIMIT :limit OFFSET :offset", args{"repo": 2, "limit": 3, "offset": 1})
		}},
		{"lists builds of an author", func(ctx context.Context) (any, error) {
			return list[ciBuild](ctx, s, "SELECT "+buildColumns+" FROM builds WHERE build_author_email = :email AND build_status IN ('pending', 'running') ORDER BY build_id", args{"email": "ada@ci.example"})
		}},
		{"counts builds by their state", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, "SELECT build_status, COUNT(*) FROM builds GROUP BY build_status ORDER BY build_status")
		}},
		{"counts builds by author", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, "SELECT build_author_email, COUNT(*) FROM builds WHERE build_author_email IS NOT NULL GROUP BY build_author_email")
		}},
		{"remembers the latest build, twice", func(ctx context.Context) (any, error) {
			if _, err := named(ctx, s.db, latest, args{"repo": 1, "type": "branch", "name": "main", "build": 1, "at": 1}); err != nil {
				return nil, err
			}
			return named(ctx, s.db, latest, args{"repo": 1, "type": "branch", "name": "main", "build": 3, "at": 2})
		}},
		{"lists repositories with their latest builds", func(ctx context.Context) (any, error) {
			type joined struct {
				Slug   string         `db:"repo_slug"`
				Secret sql.NullString `db:"repo_secret"`
				Number sql.NullInt64  `db:"build_number"`
				Email  sql.NullString `db:"build_author_email"`
				Params document       `db:"build_params"`
			}
			return list[joined](ctx, s, `SELECT repo_slug, repo_secret, build_number, build_author_email, build_params FROM repos LEFT OUTER JOIN (
 SELECT build_repo_id, MAX(build_id) AS last_id FROM builds GROUP BY build_repo_id
) AS x ON repo_id = x.build_repo_id LEFT OUTER JOIN builds ON builds.build_id = x.last_id WHERE repo_namespace = :ns ORDER BY repo_slug ASC`, args{"ns": "octo"})
		}},
		{"lists builds that other builds wait for", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, `SELECT build_id, build_error FROM builds b WHERE EXISTS (SELECT 1 FROM builds a WHERE a.build_repo_id = b.build_repo_id AND a.build_number > b.build_number) AND build_status = 'pending' ORDER BY build_id`)
		}},
		{"writes a log, and again", func(ctx context.Context) (any, error) {
			if _, err := named(ctx, s.db, logs, args{"id": 7, "data": []byte("[{\"out\":\"a secret line of the log\"}]")}); err != nil {
				return nil, err
			}
			return named(ctx, s.db, logs, args{"id": 7, "data": []byte("a secret line of the log \x00\x01\n")})
		}},
		{"reads a log", func(ctx context.Context) (any, error) {
			return get[[]byte](ctx, s, "SELECT log_data FROM logs WHERE log_id = :id", args{"id": 7})
		}},
		{"reads a log that is not there", func(ctx context.Context) (any, error) {
			return get[[]byte](ctx, s, "SELECT log_data FROM logs WHERE log_id = :id", args{"id": 8})
		}},
		{"truncates old builds", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "DELETE FROM builds WHERE build_repo_id = :repo AND build_number < :number AND build_status <> 'running'", args{"repo": 2, "number": 3})
		}},
	}
}

type ciSecret struct {
	ID     int64  `db:"secret_id"`
	RepoID int64  `db:"secret_repo_id"`
	Name   string `db:"secret_name"`
	Data   []byte `db:"secret_data"`
	Pull   bool   `db:"secret_pull_request"`
	Push   bool   `db:"secret_pull_request_push"`
}

func (s *ci) secrets() []operation {
	upsert := "INSERT INTO secrets (secret_repo_id, secret_name, secret_data, secret_pull_request, secret_pull_request_push) VALUES (:secret_repo_id, :secret_name, :secret_data, :secret_pull_request, :secret_pull_request_push) "
	org := "INSERT INTO orgsecrets (secret_namespace, secret_name, secret_type, secret_data) VALUES (:ns, :name, 'opaque', :data) "
	if s.w.postgres() {
		upsert += "ON CONFLICT (secret_repo_id, secret_name) DO UPDATE SET secret_data = EXCLUDED.secret_data, secret_pull_request = EXCLUDED.secret_pull_request"
		org += "ON CONFLICT (secret_namespace, secret_name) DO UPDATE SET secret_data = EXCLUDED.secret_data"
	} else {
		upsert += "ON DUPLICATE KEY UPDATE secret_data = VALUES(secret_data), secret_pull_request = VALUES(secret_pull_request)"
		org += "ON DUPLICATE KEY UPDATE secret_data = VALUES(secret_data)"
	}
	secret := func(name, value string) ciSecret { return ciSecret{RepoID: 1, Name: name, Data: []byte(value)} }
	return []operation{
		{"creates secrets", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, upsert, []ciSecret{secret("password", "DEPLOY-KEY-VALUE 1"), secret("empty", "")})
		}},
		{"replaces a secret by its repository and name", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, upsert, secret("password", "DEPLOY-KEY-VALUE 2"))
		}},
		{"replaces a secret and adds another", func(ctx context.Context) (any, error) {
			_, err := named(ctx, s.db, upsert, []ciSecret{secret("password", "DEPLOY-KEY-VALUE 3"), secret("token", "DEPLOY-KEY-VALUE 4")})
			return nil, err
		}},
		{"finds a secret by its name", func(ctx context.Context) (any, error) {
			return get[ciSecret](ctx, s, "SELECT secret_id, secret_repo_id, secret_name, secret_data, secret_pull_request, secret_pull_request_push FROM secrets WHERE secret_name = :name AND secret_repo_id = :repo LIMIT 1", args{"name": "password", "repo": 1})
		}},
		{"lists the secrets of a repository", func(ctx context.Context) (any, error) {
			return list[ciSecret](ctx, s, "SELECT * FROM secrets WHERE secret_repo_id = :repo ORDER BY secret_name", args{"repo": 1})
		}},
		{"lists secrets that are set", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, "SELECT secret_name FROM secrets WHERE length(secret_data) > 0 ORDER BY secret_name")
		}},
		{"deletes a secret", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "DELETE FROM secrets WHERE secret_repo_id = :repo AND secret_name = :name", args{"repo": 1, "name": "token"})
		}},
		{"writes secrets of an organisation, and again", func(ctx context.Context) (any, error) {
			if _, err := named(ctx, s.db, org, args{"ns": "octo", "name": "npm", "data": []byte("DEPLOY-KEY-VALUE 5")}); err != nil {
				return nil, err
			}
			return named(ctx, s.db, org, args{"ns": "octo", "name": "npm", "data": []byte("DEPLOY-KEY-VALUE 6")})
		}},
		{"lists secrets of several names", func(ctx context.Context) (any, error) {
			text, in, err := sqlx.In("SELECT secret_namespace, secret_name, secret_type, secret_data FROM orgsecrets WHERE secret_name IN (?) ORDER BY 1, 2", []string{"npm", "docker"})
			if err != nil {
				return nil, err
			}
			return rows(ctx, s.db, s.db.Rebind(text), in...)
		}},
		{"locks a secret, reads it and writes it", func(ctx context.Context) (any, error) {
			tx, err := s.db.BeginTxx(ctx, nil)
			if err != nil {
				return nil, err
			}
			defer func() { _ = tx.Rollback() }() // after Commit this does nothing
			var data []byte
			if err := tx.GetContext(ctx, &data, s.db.Rebind("SELECT secret_data FROM orgsecrets WHERE secret_namespace = ? AND secret_name = ? FOR UPDATE"), "octo", "npm"); err != nil {
				return nil, err
			}
			if _, err := named(ctx, tx, org, args{"ns": "octo", "name": "npm", "data": append(data, " and more"...)}); err != nil {
				return nil, err
			}
			return string(data), tx.Commit()
		}},
		{"deletes a repository with what hangs on it", func(ctx context.Context) (any, error) {
			return named(ctx, s.db, "DELETE FROM repos WHERE repo_slug = :slug", args{"slug": "octo/world"})
		}},
		{"sees that a repository's builds went with it", func(ctx context.Context) (any, error) {
			return rows(ctx, s.db, "SELECT build_id, build_number, build_author_email FROM builds ORDER BY build_id")
		}},
	}
}
