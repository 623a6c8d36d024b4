DROP TABLE oidc_jwk;
DROP TABLE oidc_client;
