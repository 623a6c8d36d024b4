ALTER TABLE devices DROP FOREIGN KEY devices_user;
ALTER TABLE devices ADD CONSTRAINT devices_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE NO ACTION;
ALTER TABLE devices RENAME INDEX devices_push TO devices_push_token;
ALTER TABLE users DROP COLUMN logins;
ALTER TABLE users AUTO_INCREMENT = 1000;
CREATE OR REPLACE VIEW tenant_names AS SELECT id, name FROM tenants;
