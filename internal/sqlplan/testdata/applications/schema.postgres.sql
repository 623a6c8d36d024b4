CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE users (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, name text, email {nocase}, {sealed:email_eq bytea,} phone {string}, {sealed:phone_eq bytea,} code {string}, pin {string}, note {string}, {sealed:code_eq bytea, pin_eq bytea,} version bigint NOT NULL DEFAULT 1, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, CONSTRAINT users_email_key UNIQUE ({sealed:email_eq}{twin:email}));
CREATE TABLE invites (id bigint PRIMARY KEY, tenant_id bigint, email {nocase}, label text {sealed:, email_eq bytea});
CREATE TABLE sessions ({sealed:token_eq bytea PRIMARY KEY,} token {string} {twin:PRIMARY KEY}, secret {string}, used int, user_id bigint);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total int)
