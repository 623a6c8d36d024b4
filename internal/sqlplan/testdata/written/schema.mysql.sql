CREATE TABLE contacts (id bigint PRIMARY KEY, tenant_id bigint, name varchar(50), email {exact}, {sealed:email_eq varbinary(32),} phone {base64}, {sealed:phone_eq varchar(64) CHARACTER SET ascii COLLATE ascii_bin,} ssn {exact}, UNIQUE KEY contacts_email_key ({sealed:email_eq}{twin:email(60)}), UNIQUE KEY contacts_phone_key (tenant_id, {sealed:phone_eq}{twin:phone(60)}));
CREATE TABLE serials (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(50), email {exact}, {sealed:email_eq varbinary(32),} ssn {exact}, UNIQUE KEY serials_email_key ({sealed:email_eq}{twin:email(60)}));
CREATE TABLE codes ({sealed:code_eq varbinary(32) PRIMARY KEY,} code {exact} {twin:NOT NULL}, token {exact}, name varchar(50) {twin:, PRIMARY KEY (code(60))});
CREATE TABLE slots (room bigint, code {exact} {twin:NOT NULL}, {sealed:code_eq varbinary(32),} pin {exact}, name varchar(50), PRIMARY KEY (room, {sealed:code_eq}{twin:code(60)}));
CREATE TABLE other (id bigint PRIMARY KEY, person_id bigint, name varchar(50));
CREATE VIEW v_contacts AS SELECT id, tenant_id, name, email {sealed:, email_eq}, ssn FROM contacts;
CREATE VIEW v_bare AS SELECT id, name, email, ssn FROM contacts;
