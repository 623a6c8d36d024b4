package applications

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gobuffalo/pop/v6"
)

// insert writes a token with named parameters, as pop and sqlx do.
func (p *provider) insert(ctx context.Context, table string, x oidcToken) error {
	_, err := p.c.WithContext(ctx).Store.NamedExecContext(ctx, fmt.Sprintf(insertToken, table), &x)
	return err
}

func (p *provider) tokens() []operation {
	return []operation{
		{"stores an authorization code", func(ctx context.Context) (any, error) {
			return nil, p.insert(ctx, "oidc_code", token("code", "1", "ada@oidc.example", "web"))
		}},
		{"stores a code twice", func(ctx context.Context) (any, error) {
			return nil, p.insert(ctx, "oidc_code", token("code", "1", "grace@oidc.example", "web"))
		}},
		{"stores a code of a client that does not exist", func(ctx context.Context) (any, error) {
			return nil, p.insert(ctx, "oidc_code", token("code", "2", "ada@oidc.example", "nobody"))
		}},
		{"finds a code by its signature", func(ctx context.Context) (any, error) {
			return first[oidcToken](ctx, p, "SELECT * FROM oidc_code WHERE signature = ? AND nid = ?", "code-signature-1", nid)
		}},
		{"spends a code", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_code SET active = false WHERE signature = ? AND nid = ?", "code-signature-1", nid)
		}},
		{"sees that a code is spent", func(ctx context.Context) (any, error) {
			return first[oidcToken](ctx, p, "SELECT * FROM oidc_code WHERE signature = ? AND nid = ? AND active", "code-signature-1", nid)
		}},
		{"stores access and refresh tokens in one transaction", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Transaction(func(tx *pop.Connection) error {
				in := &provider{tx}
				for _, n := range []string{"1", "22", "333", "4"} {
					if err := in.insert(ctx, "oidc_access", token("access", n, "ada@oidc.example", "web")); err != nil {
						return err
					}
					if err := in.insert(ctx, "oidc_refresh", token("refresh", n, "ada@oidc.example", "cli")); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"rolls a refresh back when its access token is there already", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Transaction(func(tx *pop.Connection) error {
				in := &provider{tx}
				if _, err := in.count(ctx, "UPDATE oidc_refresh SET active = false WHERE request_id = ?", "request-22"); err != nil {
					return err
				}
				return in.insert(ctx, "oidc_access", token("access", "22", "ada@oidc.example", "web"))
			})
		}},
		{"lists the tokens that a rollback kept", func(ctx context.Context) (any, error) {
			return all[oidcToken](ctx, p, "SELECT * FROM oidc_refresh WHERE active = true ORDER BY request_id")
		}},
		{"rotates a refresh token", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Transaction(func(tx *pop.Connection) error {
				in := &provider{tx}
				var x oidcToken
				if err := tx.RawQuery("SELECT * FROM oidc_refresh WHERE signature = ? AND nid = ? FOR UPDATE", "refresh-signature-1", nid).First(&x); err != nil {
					return err
				}
				n, err := in.count(ctx, "UPDATE oidc_refresh SET active = ? WHERE signature = ? AND nid = ? AND active = ?", false, x.Signature, nid, true)
				if err != nil || n != 1 {
					return errors.Join(errors.New("rotated meanwhile"), err)
				}
				x.Signature = "refresh-signature-rotated"
				return in.insert(ctx, "oidc_refresh", x)
			})
		}},
		{"renames a signature", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_access SET signature = ? WHERE signature = ?", "access-signature-renamed", "access-signature-333")
		}},
		{"revokes by the request", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_refresh SET active = false WHERE request_id = ? AND nid = ?", "request-4", nid)
		}},
		{"revokes all tokens of a subject and client", func(ctx context.Context) (any, error) {
			return p.count(ctx, "DELETE FROM oidc_access WHERE client_id = ? AND subject = ? AND nid = ? AND request_id = ?", "web", "ada@oidc.example", nid, "request-4")
		}},
		{"deletes a token by its signature", func(ctx context.Context) (any, error) {
			return p.count(ctx, "DELETE FROM oidc_access WHERE signature = ? AND nid = ?", "access-signature-22", nid)
		}},
		{"finds tokens by several signatures", func(ctx context.Context) (any, error) {
			return all[oidcToken](ctx, p, "SELECT * FROM oidc_access WHERE signature IN (?) ORDER BY request_id", []string{"access-signature-1", "access-signature-renamed", "access-signature-22"})
		}},
		{"reads a session only", func(ctx context.Context) (any, error) {
			type session struct {
				Data []byte `db:"session_data"`
			}
			return first[session](ctx, p, "SELECT session_data FROM oidc_access WHERE signature = ?", "access-signature-1")
		}},
		{"replaces a session", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_access SET session_data = ? WHERE signature = ?", []byte{}, "access-signature-1")
		}},
	}
}

// janitor is the provider's clean-up, which works by batches of row keys.
func (p *provider) janitor() []operation {
	return []operation{
		{"lists signatures of old tokens", func(ctx context.Context) (any, error) {
			var found []string
			err := p.c.WithContext(ctx).RawQuery("SELECT signature FROM oidc_refresh WHERE requested_at < ? AND nid = ? ORDER BY requested_at, request_id, active LIMIT ?", oidcNow.Add(90*time.Second), nid, 2).All(&found)
			return found, err
		}},
		{"deletes a batch of signatures", func(ctx context.Context) (any, error) {
			return p.count(ctx, "DELETE FROM oidc_refresh WHERE signature IN (?)", []string{"refresh-signature-4", "refresh-signature-nothing"})
		}},
		{"deletes tokens of a limited sub-select", func(ctx context.Context) (any, error) {
			return p.count(ctx, "DELETE FROM oidc_refresh WHERE signature IN (SELECT signature FROM (SELECT signature FROM oidc_refresh hoar WHERE requested_at > ? AND nid = ? ORDER BY requested_at LIMIT 1) AS s)", oidcNow.Add(150*time.Second), nid)
		}},
		{"finds requests whose consent was never handled", func(ctx context.Context) (any, error) {
			var found []string
			err := p.c.WithContext(ctx).RawQuery(`SELECT login_challenge FROM oidc_flow WHERE (state <> ? OR (session_id_token IS NULL AND granted_scope IS NULL)) AND requested_at < ? AND nid = ? ORDER BY login_challenge LIMIT 100`, 5, oidcNow.Add(time.Hour), nid).All(&found)
			return found, err
		}},
		{"tells which access tokens have no refresh token", func(ctx context.Context) (any, error) {
			var found []string
			err := p.c.WithContext(ctx).RawQuery(`SELECT a.request_id FROM oidc_access a WHERE NOT EXISTS (SELECT NULL FROM oidc_refresh r WHERE r.request_id = a.request_id AND r.subject = ?) ORDER BY 1`, "ada@oidc.example").All(&found)
			return found, err
		}},
	}
}
