ALTER TABLE users ADD COLUMN phone varchar(384) NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN IF NOT EXISTS born date, ADD COLUMN logins integer NOT NULL DEFAULT 0;
CREATE INDEX users_phone_idx ON users (phone);
