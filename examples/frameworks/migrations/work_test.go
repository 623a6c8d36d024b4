package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/driver"
)

// secrets are values that may not pass in clear.
var secrets = []string{"Ada.Lovelace@example", "+44-900-5550100", "DE02120300000000202051", "a diary entry of ada", "push-token-of-ada"}

// work writes and reads the newest schema as the application does. It leaves a row in
// each table.
func (a *app) work(ctx context.Context, round string) error {
	tenant := "tenant " + round
	email, code := round+" "+secrets[0], "code "+round
	var id int64
	if _, err := a.db.ExecContext(ctx, a.SQL("INSERT INTO tenants (name) VALUES (?)"), tenant); err != nil {
		return err
	}
	var tenantID int64
	if err := a.db.QueryRowContext(ctx, a.SQL("SELECT id FROM tenants WHERE name = ?"), tenant).Scan(&tenantID); err != nil {
		return err
	}
	// phone is left out: its default is sealed.
	if _, err := a.db.ExecContext(ctx, a.SQL("INSERT INTO users (tenant_id, name, email, born) VALUES (?, 'Ada', ?, ?)"), tenantID, email, "1815-12-10"); err != nil {
		return err
	}
	var phone, born string
	if err := a.db.QueryRowContext(ctx, a.SQL("SELECT id, phone, born FROM users WHERE email = ?"), strings.ToUpper(email)).Scan(&id, &phone, &born); err != nil {
		return fmt.Errorf("by email: %w", err)
	}
	if phone != "" || !strings.HasPrefix(born, "1815-12-10") {
		return fmt.Errorf("phone is %q, born %q", phone, born)
	}
	if err := a.duplicate(ctx, "INSERT INTO users (tenant_id, name, email) VALUES (?, 'Eve', ?)", tenantID, strings.ToLower(email)); err != nil {
		return err
	}
	for _, step := range []struct {
		text string
		args []any
	}{
		{"UPDATE users SET phone = ? WHERE email = ?", []any{secrets[1], email}},
		{"INSERT INTO credentials (id, user_id, kind, secret) VALUES (?, ?, 'password', ?)", []any{fmt.Sprintf("00000000-0000-4000-8000-%012d", id), id, []byte("hash of " + round)}},
		{"INSERT INTO sessions (user_id, token) VALUES (?, ?)", []any{id, "session " + round}},
		{"INSERT INTO clients (id, name, secret, redirect_uris) VALUES (?, 'app', ?, '{}')", []any{"client " + round, "a secret"}},
		{"INSERT INTO grants (client_id, user_id, code, payload) VALUES (?, ?, ?, ?)", []any{"client " + round, id, code, `{"scope": "all"}`}},
		{"INSERT INTO devices (user_id, label, push_token) VALUES (?, 'phone', ?)", []any{id, round + secrets[4]}},
		{"INSERT INTO invitations (tenant_id, email) VALUES (?, ?)", []any{tenantID, email}},
		{"INSERT INTO payments (user_id, iban, amount) VALUES (?, ?, ?)", []any{id, secrets[2], "12.50"}},
		{"INSERT INTO notes (user_id, title, body) VALUES (?, 'today', ?)", []any{id, secrets[3]}},
		{"INSERT INTO audit_log (actor, detail) VALUES (?, ?)", []any{id, `{"email": "` + secrets[0] + `"}`}},
		{"INSERT INTO contacts (user_id, channel) VALUES (?, 'mail')", []any{id}},
	} {
		if _, err := a.db.ExecContext(ctx, a.SQL(step.text), step.args...); err != nil {
			return fmt.Errorf("%s: %w", step.text, err)
		}
	}
	for _, twice := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO sessions (user_id, token) VALUES (?, ?)", []any{id, "session " + round}},
		{"INSERT INTO grants (client_id, user_id, code) VALUES (?, ?, ?)", []any{"client " + round, id, code}},
		{"INSERT INTO devices (push_token) VALUES (?)", []any{round + secrets[4]}},
		{"INSERT INTO invitations (tenant_id, email) VALUES (?, ?)", []any{tenantID, email}},
		{"INSERT INTO payments (user_id, iban, amount) VALUES (?, ?, 1)", []any{id, secrets[2]}},
	} {
		if err := a.duplicate(ctx, twice.text, twice.args...); err != nil {
			return err
		}
	}
	return a.readBack(ctx, id, round)
}

// duplicate expects the server's own error for a second row of one key.
func (a *app) duplicate(ctx context.Context, text string, args ...any) error {
	_, err := a.db.ExecContext(ctx, a.SQL(text), args...)
	if err == nil || errors.Is(err, driver.ErrRefused) || !strings.Contains(strings.ToLower(err.Error()), "duplicate") {
		return fmt.Errorf("%s, a second time: %w", text, errors.Join(errors.New("no duplicate"), err))
	}
	return nil
}

func (a *app) readBack(ctx context.Context, id int64, round string) error {
	for _, read := range []struct {
		text string
		arg  any
		want string
	}{
		{"SELECT phone FROM users WHERE id = ?", id, secrets[1]},
		{"SELECT secret FROM credentials WHERE user_id = ?", id, "hash of " + round},
		{"SELECT token FROM sessions WHERE token = ?", "session " + round, "session " + round},
		{"SELECT secret FROM clients WHERE id = ?", "client " + round, "a secret"},
		{"SELECT payload FROM grants WHERE code = ?", "code " + round, `{"scope": "all"}`},
		{"SELECT push_token FROM devices WHERE push_token = ?", round + secrets[4], round + secrets[4]},
		{"SELECT i.email FROM invitations i JOIN tenants t ON t.id = i.tenant_id WHERE t.name = ?", "tenant " + round, round + " " + secrets[0]},
		{"SELECT amount FROM payments WHERE user_id = ?", id, "12.50"},
		{"SELECT body FROM notes WHERE user_id = ?", id, secrets[3]},
		{"SELECT detail FROM audit_log WHERE actor = ?", id, `{"email": "` + secrets[0] + `"}`},
		{"SELECT value FROM contacts WHERE user_id = ?", id, ""},
	} {
		var got sql.RawBytes
		rows, err := a.db.QueryContext(ctx, a.SQL(read.text), read.arg)
		if err != nil {
			return fmt.Errorf("%s: %w", read.text, err)
		}
		n := 0
		for ; rows.Next(); n++ {
			if err = rows.Scan(&got); err == nil && string(got) != read.want {
				err = errors.New("what was read is not what was written")
			}
			if err != nil {
				break
			}
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil || n != 1 {
			return fmt.Errorf("%s: %d rows: %w", read.text, n, err)
		}
	}
	return nil
}
