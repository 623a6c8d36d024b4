DROP INDEX users_phone_idx ON users;
ALTER TABLE users DROP COLUMN logins, DROP born;
ALTER TABLE users DROP COLUMN phone;
