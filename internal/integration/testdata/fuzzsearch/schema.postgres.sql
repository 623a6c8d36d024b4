CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE users (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name text, nick text, email {nocase}, {sealed:email_eq bytea,} phone {string}, code {string}, pin {string}, age {int64}, note {string}, {sealed:phone_eq bytea, code_eq bytea, pin_eq bytea, age_eq bytea,} CONSTRAINT users_email_key UNIQUE ({sealed:email_eq}{twin:email}));
CREATE TABLE invites (id bigint PRIMARY KEY, mail {nocase}, email {nocase}, user_id bigint, label text {sealed:, mail_eq bytea, email_eq bytea});
CREATE TABLE tokens ({sealed:token_eq bytea PRIMARY KEY,} token {string} {twin:PRIMARY KEY}, secret {string}, used int);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, tenant_id bigint, mail text, total int);
CREATE VIEW v_users AS SELECT id, tenant_id, name, email {sealed:, email_eq} FROM users
