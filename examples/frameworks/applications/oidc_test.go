package applications

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
	"github.com/jmoiron/sqlx"
)

func init() {
	sqlx.BindDriver("sealsql-pgx", sqlx.DOLLAR)
	sqlx.BindDriver("sealsql-mysql", sqlx.QUESTION)
}

// TestOIDCProvider is an OIDC provider on pop: clients, login and consent flows, and tables of
// tokens that are found by their signatures.
func TestOIDCProvider(t *testing.T) {
	application{
		name: "oidc", open: openOIDC, operations: 57,
		secrets: []string{"code-signature", "access-signature", "refresh-signature", "ada@oidc.example", "grace@oidc.example", "hashed-client-secret",
			"login-verifier", "consent-verifier", "idp-session", "security@oidc.example", "private-exponent", "client-session-bytes", "form-of-the-request"},
		parameters: map[string]string{"mysql": "multiStatements=true"},
	}.run(t)
}

// provider is the OIDC provider's store.
type provider struct{ c *pop.Connection }

func openOIDC(w *world) (store, error) {
	pop.SetLogger(func(logging.Level, string, ...any) {}) // its log shows arguments
	d := &pop.ConnectionDetails{Dialect: "postgres", Driver: w.driver, URL: w.dsn}
	if !w.postgres() {
		d.Dialect, d.URL = "mysql", "mysql://"+w.dsn
	}
	c, err := pop.NewConnection(d)
	if err != nil {
		return nil, err
	}
	return &provider{c}, c.Open()
}

func (p *provider) close() error { return p.c.Close() }

func (p *provider) box() (pop.MigrationBox, error) {
	return pop.NewMigrationBox(os.DirFS("testdata/oidc"), p.c)
}

func (p *provider) up(context.Context) error {
	box, err := p.box()
	if err != nil {
		return err
	}
	return box.Up()
}

func (p *provider) down(context.Context) error {
	box, err := p.box()
	if err != nil {
		return err
	}
	return box.Down(-1)
}

type oidcClient struct {
	ID            string    `db:"id"`
	NID           string    `db:"nid"`
	Name          string    `db:"client_name"`
	Secret        string    `db:"client_secret"`
	RedirectURIs  string    `db:"redirect_uris"`
	GrantTypes    string    `db:"grant_types"`
	Scope         string    `db:"scope"`
	Owner         string    `db:"owner"`
	Contacts      string    `db:"contacts"`
	SecretExpires int       `db:"client_secret_expires_at"`
	AuthMethod    string    `db:"token_endpoint_auth_method"`
	Registration  string    `db:"registration_access_token_signature"`
	SkipConsent   bool      `db:"skip_consent"`
	Metadata      string    `db:"metadata"`
	CreatedAt     time.Time `db:"created_at"`
}

func (oidcClient) TableName() string { return "oidc_client" }

type oidcFlow struct {
	ID              string         `db:"login_challenge"`
	NID             string         `db:"nid"`
	Verifier        string         `db:"login_verifier"`
	CSRF            string         `db:"login_csrf"`
	Subject         string         `db:"subject"`
	RequestURL      string         `db:"request_url"`
	SessionID       sql.NullString `db:"login_session_id"`
	RequestedAt     time.Time      `db:"requested_at"`
	Remember        bool           `db:"login_remember"`
	Context         document       `db:"login_context"`
	State           int            `db:"state"`
	ClientID        string         `db:"client_id"`
	ConsentID       sql.NullString `db:"consent_challenge_id"`
	ConsentVerifier sql.NullString `db:"consent_verifier"`
	HandledAt       sql.NullTime   `db:"consent_handled_at"`
	GrantedScope    sql.NullString `db:"granted_scope"`
	IDToken         document       `db:"session_id_token"`
	AccessToken     document       `db:"session_access_token"`
}

func (oidcFlow) TableName() string { return "oidc_flow" }

type oidcSession struct {
	ID              string         `db:"id"`
	NID             string         `db:"nid"`
	AuthenticatedAt sql.NullTime   `db:"authenticated_at"`
	Subject         string         `db:"subject"`
	Remember        bool           `db:"remember"`
	ProviderSession sql.NullString `db:"identity_provider_session_id"`
}

func (oidcSession) TableName() string { return "oidc_authentication_session" }

// oidcToken is a row of one of three tables.
type oidcToken struct {
	Signature    string         `db:"signature"`
	NID          string         `db:"nid"`
	RequestID    string         `db:"request_id"`
	RequestedAt  time.Time      `db:"requested_at"`
	ClientID     string         `db:"client_id"`
	Scope        string         `db:"scope"`
	GrantedScope string         `db:"granted_scope"`
	Form         string         `db:"form_data"`
	Session      []byte         `db:"session_data"`
	Subject      string         `db:"subject"`
	Active       bool           `db:"active"`
	Challenge    sql.NullString `db:"challenge_id"`
}

var (
	nid     = "11111111-1111-4111-8111-111111111111"
	oidcNow = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
)

func client(id string) oidcClient {
	return oidcClient{ID: id, NID: nid, Name: "App " + id, Secret: "hashed-client-secret of " + id, RedirectURIs: "https://app.example/cb|https://app.example/cb2", GrantTypes: "authorization_code|refresh_token",
		Scope: "openid offline", Owner: "", Contacts: "security@oidc.example", AuthMethod: "client_secret_post", Metadata: `{"tier":1}`, CreatedAt: oidcNow}
}

func token(kind, n, subject, client string) oidcToken {
	return oidcToken{Signature: kind + "-signature-" + n, NID: nid, RequestID: "request-" + n, RequestedAt: oidcNow.Add(time.Duration(len(n)) * time.Minute), ClientID: client, Scope: "openid offline", GrantedScope: "openid",
		Form: "form-of-the-request=" + n, Session: []byte(`{"id":"client-session-bytes ` + n + `"}` + "\x00\xff"), Subject: subject, Active: true, Challenge: sql.NullString{String: "consent-" + n, Valid: n != "4"}}
}

const insertToken = "INSERT INTO %s (signature, nid, request_id, requested_at, client_id, scope, granted_scope, form_data, session_data, subject, active, challenge_id) VALUES (:signature, :nid, :request_id, :requested_at, :client_id, :scope, :granted_scope, :form_data, :session_data, :subject, :active, :challenge_id)"

// count runs a statement that writes.
func (p *provider) count(ctx context.Context, text string, args ...any) (any, error) {
	return p.c.WithContext(ctx).RawQuery(text, args...).ExecWithCount()
}

// all reads all rows into structs.
func all[T any](ctx context.Context, p *provider, text string, args ...any) (any, error) {
	var found []T
	err := p.c.WithContext(ctx).RawQuery(text, args...).All(&found)
	return found, err
}

// first reads one row, or fails with sql.ErrNoRows.
func first[T any](ctx context.Context, p *provider, text string, args ...any) (any, error) {
	var found T
	err := p.c.WithContext(ctx).RawQuery(text, args...).First(&found)
	return found, err
}

func (p *provider) operations() []operation {
	return append(append(append(p.clients(), p.flows()...), p.tokens()...), p.janitor()...)
}

func (p *provider) clients() []operation {
	return []operation{
		{"creates a client", func(ctx context.Context) (any, error) {
			c := client("web")
			return c, p.c.WithContext(ctx).Create(&c)
		}},
		{"creates clients in a loop of one transaction", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Transaction(func(tx *pop.Connection) error {
				for _, id := range []string{"mobile", "cli", "old"} {
					c := client(id)
					c.Registration = "registration of " + id
					if err := tx.Create(&c); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"creates a client twice", func(ctx context.Context) (any, error) {
			c := client("web")
			return nil, p.c.WithContext(ctx).Create(&c)
		}},
		{"finds a client by its id and network", func(ctx context.Context) (any, error) {
			var c oidcClient
			err := p.c.WithContext(ctx).Where("id = ? AND nid = ?", "web", nid).First(&c)
			return c, err
		}},
		{"finds no client", func(ctx context.Context) (any, error) {
			var c oidcClient
			err := p.c.WithContext(ctx).Where("id = ? AND nid = ?", "nobody", nid).First(&c)
			return errors.Is(err, sql.ErrNoRows), err
		}},
		{"finds a client by its registration token", func(ctx context.Context) (any, error) {
			return first[oidcClient](ctx, p, "SELECT * FROM oidc_client WHERE registration_access_token_signature = ? AND nid = ?", "registration of cli", nid)
		}},
		{"counts clients without a registration token", func(ctx context.Context) (any, error) {
			return p.c.WithContext(ctx).Where("registration_access_token_signature = ''").Count(&oidcClient{})
		}},
		{"updates a client as a whole", func(ctx context.Context) (any, error) {
			c := client("mobile")
			c.Name, c.Contacts, c.Registration = "Renamed", "", "rotated"
			return p.count(ctx, "UPDATE oidc_client SET client_name = ?, client_secret = ?, contacts = ?, registration_access_token_signature = ? WHERE id = ? AND nid = ?", c.Name, c.Secret+" new", c.Contacts, c.Registration, c.ID, c.NID)
		}},
		{"pages through clients", func(ctx context.Context) (any, error) {
			var cs []oidcClient
			q := p.c.WithContext(ctx).Where("nid = ?", nid).Order("id").Paginate(2, 2)
			err := q.All(&cs)
			return []any{cs, q.Paginator.TotalEntriesSize, q.Paginator.TotalPages}, err
		}},
		{"filters clients by name and owner", func(ctx context.Context) (any, error) {
			var cs []oidcClient
			err := p.c.WithContext(ctx).Where("nid = ?", nid).Where("client_name = ?", "App cli").Where("owner = ?", "").All(&cs)
			return cs, err
		}},
		{"deletes a client", func(ctx context.Context) (any, error) {
			return p.count(ctx, "DELETE FROM oidc_client WHERE id = ? AND nid = ?", "old", nid)
		}},
		{"adds keys of one set", func(ctx context.Context) (any, error) {
			text := "INSERT INTO oidc_jwk (pk, nid, sid, kid, version, keydata, created_at) VALUES (?, ?, ?, ?, 0, ?, ?), (?, ?, ?, ?, 0, ?, ?)"
			return p.count(ctx, text, "00000000-0000-4000-8000-000000000001", nid, "hydra.openid", "public:1", `{"kty":"EC"}`, oidcNow,
				"00000000-0000-4000-8000-000000000002", nid, "hydra.openid", "private:1", `{"d":"private-exponent"}`, oidcNow.Add(time.Second))
		}},
		{"adds a key twice", func(ctx context.Context) (any, error) {
			return p.count(ctx, "INSERT INTO oidc_jwk (pk, nid, sid, kid, keydata, created_at) VALUES (?, ?, ?, ?, ?, ?)", "00000000-0000-4000-8000-000000000003", nid, "hydra.openid", "public:1", "{}", oidcNow)
		}},
		{"lists the keys of a set, newest first", func(ctx context.Context) (any, error) {
			type key struct {
				KID  string `db:"kid"`
				Data string `db:"keydata"`
			}
			return all[key](ctx, p, "SELECT kid, keydata FROM oidc_jwk WHERE sid = ? AND nid = ? ORDER BY created_at DESC", "hydra.openid", nid)
		}},
	}
}

func flow(n, subject string) oidcFlow {
	return oidcFlow{ID: "challenge-" + n, NID: nid, Verifier: "login-verifier-" + n, CSRF: "csrf", Subject: subject, RequestURL: "https://oidc.example/auth?client=web", RequestedAt: oidcNow, State: 1, ClientID: "web",
		Context: `{"factor": 1}`}
}

func (p *provider) flows() []operation {
	return []operation{
		{"creates a session before the login", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Create(&oidcSession{ID: "session-1", NID: nid, Subject: ""})
		}},
		{"creates a session of a known subject", func(ctx context.Context) (any, error) {
			return nil, p.c.WithContext(ctx).Create(&oidcSession{ID: "session-2", NID: nid, Subject: "grace@oidc.example", Remember: true, AuthenticatedAt: sql.NullTime{Time: oidcNow, Valid: true}, ProviderSession: sql.NullString{String: "idp-session-2", Valid: true}})
		}},
		{"confirms a login session", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_authentication_session SET authenticated_at = ?, subject = ?, remember = ?, identity_provider_session_id = ? WHERE id = ? AND nid = ? AND subject = ''", oidcNow, "ada@oidc.example", true, "idp-session-1", "session-1", nid)
		}},
		{"creates a flow", func(ctx context.Context) (any, error) {
			f := flow("1", "")
			f.SessionID = sql.NullString{String: "session-1", Valid: true}
			return nil, p.c.WithContext(ctx).Create(&f)
		}},
		{"creates a flow without columns that have a default", func(ctx context.Context) (any, error) {
			return p.count(ctx, "INSERT INTO oidc_flow (login_challenge, nid, login_verifier, login_csrf, request_url, requested_at, state, client_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "challenge-2", nid, "login-verifier-2", "csrf", "https://oidc.example", oidcNow, 1, "cli")
		}},
		{"creates a flow whose verifier is taken", func(ctx context.Context) (any, error) {
			f := flow("3", "ada@oidc.example")
			f.Verifier = "login-verifier-1"
			return nil, p.c.WithContext(ctx).Create(&f)
		}},
		{"verifies a login by its verifier", func(ctx context.Context) (any, error) {
			return first[oidcFlow](ctx, p, "SELECT * FROM oidc_flow WHERE login_verifier = ? AND nid = ?", "login-verifier-1", nid)
		}},
		{"finds no flow of a spent verifier", func(ctx context.Context) (any, error) {
			return first[oidcFlow](ctx, p, "SELECT * FROM oidc_flow WHERE login_verifier = ? AND nid = ? AND state = ?", "login-verifier-1", nid, 9)
		}},
		{"handles the login and begins the consent", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_flow SET state = ?, subject = ?, login_remember = ?, consent_challenge_id = ?, consent_verifier = ? WHERE login_challenge = ? AND nid = ? AND state = 1", 3, "ada@oidc.example", true, "consent-1", "consent-verifier-1", "challenge-1", nid)
		}},
		{"handles the consent by its verifier", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_flow SET state = 5, granted_scope = ?, consent_handled_at = ?, session_id_token = ?, session_access_token = ? WHERE consent_verifier = ? AND nid = ?", "openid|offline", oidcNow, `{"email":"ada@oidc.example"}`, `{}`, "consent-verifier-1", nid)
		}},
		{"reads a flow with its client", func(ctx context.Context) (any, error) {
			type joined struct {
				Challenge string   `db:"login_challenge"`
				Subject   string   `db:"subject"`
				IDToken   document `db:"session_id_token"`
				Secret    string   `db:"client_secret"`
			}
			return all[joined](ctx, p, "SELECT f.login_challenge, f.subject, f.session_id_token, c.client_secret FROM oidc_flow AS f LEFT JOIN oidc_client AS c ON c.id = f.client_id AND c.nid = f.nid WHERE f.nid = ? ORDER BY f.login_challenge", nid)
		}},
		{"lists the consents of a subject that were granted", func(ctx context.Context) (any, error) {
			return all[oidcFlow](ctx, p, "SELECT * FROM oidc_flow WHERE state IN (5, 6) AND subject = ? AND consent_challenge_id IS NOT NULL AND nid = ? ORDER BY requested_at DESC LIMIT 10 OFFSET 0", "ada@oidc.example", nid)
		}},
		{"counts the consents of a subject", func(ctx context.Context) (any, error) {
			return p.c.WithContext(ctx).Where("subject = ? AND nid = ?", "ada@oidc.example", nid).Count(&oidcFlow{})
		}},
		{"says whether a subject is known", func(ctx context.Context) (any, error) {
			return p.c.WithContext(ctx).Where("subject = ?", "nobody@oidc.example").Exists(&oidcSession{})
		}},
		{"forgets a flow's consent", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_flow SET consent_verifier = NULL, session_id_token = NULL WHERE login_challenge = ?", "challenge-1")
		}},
		{"finds sessions of a provider's session", func(ctx context.Context) (any, error) {
			return all[oidcSession](ctx, p, "SELECT id, nid, authenticated_at, subject, remember, identity_provider_session_id FROM oidc_authentication_session WHERE identity_provider_session_id = ?", "idp-session-2")
		}},
		{"finds clients that a session's subject has logged in to", func(ctx context.Context) (any, error) {
			return all[oidcClient](ctx, p, `SELECT DISTINCT c.* FROM oidc_client c JOIN oidc_flow f ON (f.client_id = c.id AND f.nid = c.nid) WHERE f.subject = ? AND c.nid = ? ORDER BY c.id`, "ada@oidc.example", nid)
		}},
		{"joins sessions and flows by the subject", func(ctx context.Context) (any, error) {
			type joined struct {
				ID        string `db:"id"`
				Challenge string `db:"login_challenge"`
				Subject   string `db:"subject"`
			}
			return all[joined](ctx, p, "SELECT s.id, f.login_challenge, f.subject FROM oidc_authentication_session s INNER JOIN oidc_flow f ON f.subject = s.subject AND f.nid = s.nid")
		}},
		{"creates a logout request", func(ctx context.Context) (any, error) {
			return p.count(ctx, "INSERT INTO oidc_logout_request (challenge, nid, verifier, subject, sid, client_id, request_url) VALUES (?, ?, ?, ?, ?, ?, ?)", "logout-1", nid, "logout-verifier-1", "ada@oidc.example", "session-1", nil, "")
		}},
		{"verifies a logout once", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_logout_request SET was_used = true WHERE nid = ? AND verifier = ? AND was_used = false AND accepted = false AND rejected = false", nid, "logout-verifier-1")
		}},
		{"verifies a logout a second time", func(ctx context.Context) (any, error) {
			return p.count(ctx, "UPDATE oidc_logout_request SET was_used = true WHERE nid = ? AND verifier = ? AND was_used = false AND accepted = false AND rejected = false", nid, "logout-verifier-1")
		}},
	}
}
