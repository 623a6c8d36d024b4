ALTER TABLE oidc_client DROP COLUMN created_at;
ALTER TABLE oidc_client DROP COLUMN metadata, DROP COLUMN skip_consent;
ALTER TABLE oidc_client DROP COLUMN registration_access_token_signature;
