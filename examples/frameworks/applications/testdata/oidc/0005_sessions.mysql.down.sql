ALTER TABLE oidc_flow DROP COLUMN login_context;
ALTER TABLE oidc_authentication_session DROP COLUMN identity_provider_session_id;
