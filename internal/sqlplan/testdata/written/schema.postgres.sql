CREATE TABLE contacts (id bigint PRIMARY KEY, tenant_id bigint, name text, email {string}, {sealed:email_eq bytea,} phone {base64}, {sealed:phone_eq text,} ssn {string}, CONSTRAINT contacts_email_key UNIQUE ({sealed:email_eq}{twin:email}), CONSTRAINT contacts_phone_key UNIQUE (tenant_id, {sealed:phone_eq}{twin:phone}));
CREATE TABLE serials (id bigserial PRIMARY KEY, name text, email {string}, {sealed:email_eq bytea,} ssn {string}, UNIQUE ({sealed:email_eq}{twin:email}));
CREATE TABLE codes ({sealed:code_eq bytea PRIMARY KEY,} code {string} {twin:PRIMARY KEY}, token {string}, name text);
CREATE TABLE slots (room bigint, code {string}, {sealed:code_eq bytea,} pin {string}, name text, PRIMARY KEY (room, {sealed:code_eq}{twin:code}));
CREATE TABLE other (id bigint PRIMARY KEY, person_id bigint, name text);
CREATE VIEW v_contacts AS SELECT id, tenant_id, name, email {sealed:, email_eq}, ssn FROM contacts;
CREATE VIEW v_bare AS SELECT id, name, email, ssn FROM contacts;
