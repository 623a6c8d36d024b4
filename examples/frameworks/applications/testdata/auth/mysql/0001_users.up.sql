CREATE TABLE IF NOT EXISTS users (
	instance_id char(36) NULL,
	id char(36) NOT NULL,
	aud varchar(255) NULL,
	role varchar(255) NULL,
	email varchar(255) NULL,
	encrypted_password varchar(255) NULL,
	confirmed_at datetime(6) NULL,
	invited_at datetime(6) NULL,
	confirmation_token varchar(255) NULL,
	confirmation_sent_at datetime(6) NULL,
	recovery_token varchar(255) NULL,
	recovery_sent_at datetime(6) NULL,
	email_change varchar(255) NULL,
	last_sign_in_at datetime(6) NULL,
	raw_app_meta_data json NULL,
	raw_user_meta_data json NULL,
	is_super_admin boolean NULL,
	created_at datetime(6) NULL,
	updated_at datetime(6) NULL,
	CONSTRAINT users_pkey PRIMARY KEY (id)
);
CREATE INDEX users_instance_id_email_idx ON users (instance_id, email);
CREATE INDEX users_instance_id_idx ON users (instance_id);
CREATE TABLE IF NOT EXISTS refresh_tokens (
	instance_id char(36) NULL,
	id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
	token varchar(255) NULL,
	user_id char(36) NULL,
	revoked boolean NULL,
	created_at datetime(6) NULL,
	updated_at datetime(6) NULL
);
CREATE INDEX refresh_tokens_instance_id_user_id_idx ON refresh_tokens (instance_id, user_id);
CREATE INDEX refresh_tokens_token_idx ON refresh_tokens (token);
CREATE TABLE IF NOT EXISTS audit_log_entries (
	instance_id char(36) NULL,
	id char(36) NOT NULL,
	payload json NULL,
	created_at datetime(6) NULL,
	CONSTRAINT audit_log_entries_pkey PRIMARY KEY (id)
);
