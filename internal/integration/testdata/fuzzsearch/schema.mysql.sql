CREATE TABLE users (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name varchar(50), nick varchar(50), email {nocase}, {sealed:email_eq varbinary(32),} phone {exact}, code {exact}, pin {exact}, age {int64}, note {exact}, {sealed:phone_eq varbinary(32), code_eq varbinary(32), pin_eq varbinary(32), age_eq varbinary(32),} UNIQUE KEY users_email_key ({sealed:email_eq}{twin:email(60)}));
CREATE TABLE invites (id bigint PRIMARY KEY, mail {nocase}, email {nocase}, user_id bigint, label varchar(50) {sealed:, mail_eq varbinary(32), email_eq varbinary(32)});
CREATE TABLE tokens ({sealed:token_eq varbinary(32) PRIMARY KEY,} token {exact} {twin:NOT NULL, PRIMARY KEY (token(100))}, secret {exact}, used int);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, tenant_id bigint, mail varchar(50), total int);
CREATE VIEW v_users AS SELECT id, tenant_id, name, email {sealed:, email_eq} FROM users
