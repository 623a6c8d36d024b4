DROP VIEW tenant_names;
ALTER TABLE users ADD COLUMN logins integer NOT NULL DEFAULT 0;
ALTER INDEX devices_push_token RENAME TO devices_push;
ALTER TABLE devices DROP CONSTRAINT IF EXISTS devices_user;
ALTER TABLE devices ADD CONSTRAINT devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL;
