CREATE UNIQUE INDEX users_tenant_email ON users (tenant_id, email);
CREATE INDEX users_email_idx ON users (email(190));
ALTER TABLE users ADD INDEX users_name_idx USING BTREE (name(50) DESC);
