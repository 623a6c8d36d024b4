DROP TABLE oidc_logout_request;
DROP TABLE oidc_flow;
DROP TABLE oidc_authentication_session;
