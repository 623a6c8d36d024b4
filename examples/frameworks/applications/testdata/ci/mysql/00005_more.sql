-- +goose Up
ALTER TABLE users MODIFY COLUMN user_oauth_token TEXT;
ALTER TABLE users ADD COLUMN user_deleted DATETIME(6);
CREATE INDEX ix_users_email ON users (user_email);
ALTER TABLE builds ADD COLUMN build_debug BOOLEAN NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE builds DROP COLUMN build_debug;
DROP INDEX ix_users_email ON users;
ALTER TABLE users DROP COLUMN user_deleted;
