ALTER TABLE oidc_authentication_session ADD COLUMN identity_provider_session_id varchar(40) NULL;
ALTER TABLE oidc_flow ADD COLUMN login_context json NOT NULL DEFAULT ('{}');
ALTER TABLE oidc_flow MODIFY COLUMN login_csrf varchar(80) NOT NULL;
ALTER TABLE oidc_code MODIFY COLUMN signature varchar(512) NOT NULL;
