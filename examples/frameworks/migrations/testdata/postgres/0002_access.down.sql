DROP INDEX sessions_expiry;
DROP TABLE sessions, credentials;
