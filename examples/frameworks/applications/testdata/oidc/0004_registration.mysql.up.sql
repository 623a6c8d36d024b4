ALTER TABLE oidc_client ADD COLUMN registration_access_token_signature varchar(128) NOT NULL DEFAULT '';
ALTER TABLE oidc_client ADD COLUMN skip_consent boolean NOT NULL DEFAULT false, ADD COLUMN metadata varchar(1000) NOT NULL DEFAULT '{}';
ALTER TABLE oidc_client ADD COLUMN created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP;
