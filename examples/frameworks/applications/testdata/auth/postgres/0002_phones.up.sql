ALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(15) NULL UNIQUE DEFAULT NULL, ADD COLUMN IF NOT EXISTS phone_confirmed_at timestamptz NULL DEFAULT NULL,
	ADD COLUMN IF NOT EXISTS phone_change VARCHAR(15) NULL DEFAULT '';
ALTER TABLE users ADD COLUMN IF NOT EXISTS is_sso_user boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS deleted_at timestamptz NULL;
ALTER TABLE users ALTER COLUMN phone TYPE text;
DROP INDEX IF EXISTS users_instance_id_email_idx;
CREATE INDEX users_instance_id_email_idx ON users USING btree (instance_id, lower(email));
CREATE UNIQUE INDEX IF NOT EXISTS users_email_partial_key ON users (email) WHERE (is_sso_user = false);
CREATE UNIQUE INDEX IF NOT EXISTS confirmation_token_idx ON users USING btree (confirmation_token) WHERE confirmation_token <> '';
CREATE INDEX IF NOT EXISTS recovery_token_idx ON users USING btree (recovery_token) WHERE recovery_token !~ '^[0-9 ]*$';
ALTER TABLE refresh_tokens ADD COLUMN IF NOT EXISTS parent varchar(255) NULL;
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_token_unique UNIQUE (token);
CREATE INDEX IF NOT EXISTS refresh_tokens_parent_idx ON refresh_tokens USING btree (parent);
ALTER TABLE audit_log_entries ADD COLUMN IF NOT EXISTS ip_address varchar(64) NOT NULL DEFAULT '';
