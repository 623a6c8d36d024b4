DROP INDEX users_name_idx ON users;
ALTER TABLE users DROP INDEX users_email_idx, DROP KEY users_tenant_email;
