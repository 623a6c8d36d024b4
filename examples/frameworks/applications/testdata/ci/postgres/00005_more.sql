-- +goose Up
ALTER TABLE users ALTER COLUMN user_oauth_token TYPE TEXT;
ALTER TABLE users ADD COLUMN user_deleted TIMESTAMPTZ;
CREATE INDEX ix_users_email ON users (user_email);
ALTER TABLE builds ADD COLUMN build_debug BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX ix_build_incomplete ON builds (build_status) WHERE build_status IN ('pending', 'running');

-- +goose Down
DROP INDEX ix_build_incomplete;
ALTER TABLE builds DROP COLUMN build_debug;
DROP INDEX ix_users_email;
ALTER TABLE users DROP COLUMN user_deleted;
