DROP TABLE audit_log_entries;
DROP TABLE refresh_tokens;
DROP TABLE users;
