CREATE TABLE IF NOT EXISTS users (
	instance_id uuid NULL,
	id uuid NOT NULL,
	aud varchar(255) NULL,
	role varchar(255) NULL,
	email varchar(255) NULL,
	encrypted_password varchar(255) NULL,
	confirmed_at timestamptz NULL,
	invited_at timestamptz NULL,
	confirmation_token varchar(255) NULL,
	confirmation_sent_at timestamptz NULL,
	recovery_token varchar(255) NULL,
	recovery_sent_at timestamptz NULL,
	email_change varchar(255) NULL,
	last_sign_in_at timestamptz NULL,
	raw_app_meta_data jsonb NULL,
	raw_user_meta_data jsonb NULL,
	is_super_admin boolean NULL,
	created_at timestamptz NULL,
	updated_at timestamptz NULL,
	CONSTRAINT users_pkey PRIMARY KEY (id)
);
CREATE INDEX users_instance_id_email_idx ON users (instance_id, email);
CREATE INDEX users_instance_id_idx ON users (instance_id);
CREATE TABLE IF NOT EXISTS refresh_tokens (
	instance_id uuid NULL,
	id bigserial PRIMARY KEY,
	token varchar(255) NULL,
	user_id uuid NULL,
	revoked boolean NULL,
	created_at timestamptz NULL,
	updated_at timestamptz NULL
);
CREATE INDEX refresh_tokens_instance_id_user_id_idx ON refresh_tokens (instance_id, user_id);
CREATE INDEX refresh_tokens_token_idx ON refresh_tokens (token);
CREATE TABLE IF NOT EXISTS audit_log_entries (
	instance_id uuid NULL,
	id uuid NOT NULL,
	payload jsonb NULL,
	created_at timestamptz NULL,
	CONSTRAINT audit_log_entries_pkey PRIMARY KEY (id)
);
