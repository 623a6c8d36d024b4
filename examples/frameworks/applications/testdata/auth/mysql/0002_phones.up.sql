ALTER TABLE users ADD COLUMN phone VARCHAR(15) NULL UNIQUE DEFAULT NULL, ADD COLUMN phone_confirmed_at datetime(6) NULL DEFAULT NULL,
	ADD COLUMN phone_change VARCHAR(15) NULL DEFAULT '';
ALTER TABLE users ADD COLUMN is_sso_user boolean NOT NULL DEFAULT false, ADD COLUMN deleted_at datetime(6) NULL;
ALTER TABLE users MODIFY COLUMN phone varchar(30) NULL DEFAULT NULL;
DROP INDEX users_instance_id_email_idx ON users;
CREATE INDEX users_instance_id_email_idx ON users (instance_id, email(40));
ALTER TABLE refresh_tokens ADD COLUMN parent varchar(255) NULL;
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_token_unique UNIQUE (token);
CREATE INDEX refresh_tokens_parent_idx ON refresh_tokens (parent);
ALTER TABLE audit_log_entries ADD COLUMN ip_address varchar(64) NOT NULL DEFAULT '';
