CREATE TABLE members (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name varchar(50), email {nocase}, {sealed:email_eq varbinary(32),} phone {exact}, code {exact}, pin {exact}, age {int64}, note {exact}, {sealed:phone_eq varbinary(32), code_eq varbinary(32), pin_eq varbinary(32), age_eq varbinary(32),} nick varchar(50));
{sealed:CREATE INDEX members_email_eq ON members (email_eq)};
CREATE TABLE invites (id bigint PRIMARY KEY, mail {nocase}, label varchar(50) {sealed:, mail_eq varbinary(32)});
CREATE TABLE tokens ({sealed:token_eq varbinary(32) PRIMARY KEY,} token {exact} {twin:NOT NULL, PRIMARY KEY (token(100))}, secret {exact}, used int);
CREATE TABLE cards (id bigint PRIMARY KEY, number {base64}, holder varchar(50) {sealed:, number_eq varchar(64) CHARACTER SET ascii COLLATE ascii_bin});
CREATE TABLE orders (id bigint PRIMARY KEY, member_id bigint, tenant_id bigint, mail varchar(50), total int);
CREATE VIEW v_members AS SELECT id, tenant_id, name, email {sealed:, email_eq} FROM members;
CREATE VIEW v_mails AS SELECT id, name, email FROM members;
