DROP TABLE oidc_refresh;
DROP TABLE oidc_access;
DROP TABLE oidc_code;
