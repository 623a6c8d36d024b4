CREATE TABLE IF NOT EXISTS identities (
	id char(36) NOT NULL,
	provider_id varchar(190) NOT NULL,
	user_id char(36) NOT NULL,
	identity_data json NOT NULL,
	provider varchar(60) NOT NULL,
	email varchar(255) NULL,
	last_sign_in_at datetime(6) NULL,
	created_at datetime(6) NULL,
	updated_at datetime(6) NULL,
	CONSTRAINT identities_pkey PRIMARY KEY (id),
	CONSTRAINT identities_provider_id_provider_unique UNIQUE (provider_id, provider),
	CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX identities_email_idx ON identities (email);
CREATE TABLE IF NOT EXISTS mfa_factors (
	id char(36) NOT NULL PRIMARY KEY,
	user_id char(36) NOT NULL,
	friendly_name varchar(100) NULL,
	factor_type varchar(20) NOT NULL,
	status varchar(20) NOT NULL,
	created_at datetime(6) NOT NULL,
	secret varchar(255) NULL,
	phone varchar(255) NULL DEFAULT NULL,
	last_challenged_at datetime(6) NULL UNIQUE,
	CONSTRAINT mfa_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS one_time_tokens (
	id char(36) NOT NULL PRIMARY KEY,
	user_id char(36) NOT NULL,
	token_type varchar(40) NOT NULL,
	token_hash varchar(255) NOT NULL,
	relates_to varchar(255) NOT NULL,
	created_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
	updated_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
	CONSTRAINT one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX one_time_tokens_user_id_token_type_key ON one_time_tokens (user_id, token_type);
CREATE INDEX one_time_tokens_token_hash_idx ON one_time_tokens (token_hash);
CREATE INDEX one_time_tokens_relates_to_idx ON one_time_tokens (relates_to);
