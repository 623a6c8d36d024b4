CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE members (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name text, email {nocase}, {sealed:email_eq bytea,} phone {string}, code {string}, pin {string}, age {int64}, note {string}, {sealed:phone_eq bytea, code_eq bytea, pin_eq bytea, age_eq bytea,} nick text);
{sealed:CREATE INDEX members_email_eq ON members (email_eq)};
CREATE TABLE invites (id bigint PRIMARY KEY, mail {nocase}, label text {sealed:, mail_eq bytea});
CREATE TABLE tokens ({sealed:token_eq bytea PRIMARY KEY,} token {string} {twin:PRIMARY KEY}, secret {string}, used int);
CREATE TABLE cards (id bigint PRIMARY KEY, number {base64}, holder text {sealed:, number_eq text});
CREATE TABLE orders (id bigint PRIMARY KEY, member_id bigint, tenant_id bigint, mail text, total int);
CREATE VIEW v_members AS SELECT id, tenant_id, name, email {sealed:, email_eq} FROM members;
CREATE VIEW v_mails AS SELECT id, name, email FROM members;
