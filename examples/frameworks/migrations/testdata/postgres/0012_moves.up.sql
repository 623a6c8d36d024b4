ALTER TABLE devices DROP CONSTRAINT devices_user_id_fkey;
ALTER TABLE devices ADD CONSTRAINT devices_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;
ALTER TABLE devices VALIDATE CONSTRAINT devices_user;
ALTER INDEX devices_push RENAME TO devices_push_token;
ALTER TABLE users DROP COLUMN logins;
ALTER SEQUENCE users_id_seq RESTART WITH 1000;
CREATE OR REPLACE VIEW tenant_names AS SELECT id, name FROM tenants;
