DROP VIEW tenant_names;
ALTER TABLE users ADD COLUMN logins INT NOT NULL DEFAULT 0;
ALTER TABLE devices RENAME INDEX devices_push_token TO devices_push;
