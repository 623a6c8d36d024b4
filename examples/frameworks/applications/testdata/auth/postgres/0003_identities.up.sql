CREATE TABLE IF NOT EXISTS identities (
	id uuid NOT NULL,
	provider_id varchar(190) NOT NULL,
	user_id uuid NOT NULL,
	identity_data jsonb NOT NULL,
	provider varchar(60) NOT NULL,
	email text NULL,
	last_sign_in_at timestamptz NULL,
	created_at timestamptz NULL,
	updated_at timestamptz NULL,
	CONSTRAINT identities_pkey PRIMARY KEY (id),
	CONSTRAINT identities_provider_id_provider_unique UNIQUE (provider_id, provider),
	CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX identities_email_idx ON identities (email);
CREATE TABLE IF NOT EXISTS mfa_factors (
	id uuid NOT NULL PRIMARY KEY,
	user_id uuid NOT NULL,
	friendly_name varchar(100) NULL,
	factor_type varchar(20) NOT NULL,
	status varchar(20) NOT NULL,
	created_at timestamptz NOT NULL,
	secret text NULL,
	phone text NULL DEFAULT NULL,
	last_challenged_at timestamptz NULL UNIQUE,
	CONSTRAINT mfa_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS one_time_tokens (
	id uuid NOT NULL PRIMARY KEY,
	user_id uuid NOT NULL,
	token_type varchar(40) NOT NULL,
	token_hash text NOT NULL,
	relates_to text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX one_time_tokens_user_id_token_type_key ON one_time_tokens (user_id, token_type);
CREATE INDEX one_time_tokens_token_hash_hash_idx ON one_time_tokens USING hash (token_hash);
CREATE INDEX one_time_tokens_relates_to_hash_idx ON one_time_tokens USING hash (relates_to);
COMMENT ON COLUMN identities.email IS 'the address that the provider vouches for';
