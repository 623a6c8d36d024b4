DROP TABLE sessions, credentials;
