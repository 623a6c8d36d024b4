ALTER TABLE audit_log_entries DROP COLUMN ip_address;
DROP INDEX refresh_tokens_parent_idx ON refresh_tokens;
ALTER TABLE refresh_tokens DROP INDEX refresh_tokens_token_unique;
ALTER TABLE refresh_tokens DROP COLUMN parent;
ALTER TABLE users DROP COLUMN deleted_at, DROP COLUMN is_sso_user, DROP COLUMN phone_change, DROP COLUMN phone_confirmed_at, DROP COLUMN phone;
