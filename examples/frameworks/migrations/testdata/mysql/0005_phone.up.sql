ALTER TABLE users ADD COLUMN phone varchar(384) NOT NULL DEFAULT '' AFTER email;
ALTER TABLE users ADD COLUMN born DATE, ADD logins INT NOT NULL DEFAULT 0 COMMENT 'how often';
CREATE INDEX users_phone_idx ON users (phone(100));
