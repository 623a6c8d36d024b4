ALTER TABLE oidc_authentication_session ADD COLUMN identity_provider_session_id varchar(40);
ALTER TABLE oidc_flow ADD COLUMN login_context jsonb NOT NULL DEFAULT '{}';
ALTER TABLE oidc_flow ALTER COLUMN login_csrf TYPE varchar(80);
ALTER TABLE oidc_code ALTER COLUMN signature TYPE varchar(512);
