CREATE TABLE oidc_authentication_session (
  id varchar(40) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  authenticated_at timestamp NULL,
  subject varchar(255) NOT NULL,
  remember boolean NOT NULL DEFAULT false
);
CREATE INDEX oidc_authentication_session_subject_idx ON oidc_authentication_session (subject, nid);
CREATE TABLE oidc_flow (
  login_challenge varchar(40) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  login_verifier varchar(40) NOT NULL,
  login_csrf varchar(40) NOT NULL,
  subject varchar(255) NOT NULL DEFAULT '',
  request_url text NOT NULL,
  login_session_id varchar(40) NULL,
  requested_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  login_remember boolean NOT NULL DEFAULT false,
  state smallint NOT NULL,
  client_id varchar(190) NOT NULL,
  consent_challenge_id varchar(40) NULL,
  consent_verifier varchar(40) NULL,
  consent_handled_at timestamp NULL,
  granted_scope text NULL,
  session_id_token json NULL,
  session_access_token json NULL,
  CONSTRAINT oidc_flow_client_fk FOREIGN KEY (client_id, nid) REFERENCES oidc_client (id, nid) ON DELETE CASCADE,
  CONSTRAINT oidc_flow_session_fk FOREIGN KEY (login_session_id) REFERENCES oidc_authentication_session (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX oidc_flow_login_verifier_idx ON oidc_flow (login_verifier);
CREATE UNIQUE INDEX oidc_flow_consent_challenge_idx ON oidc_flow (consent_challenge_id);
CREATE UNIQUE INDEX oidc_flow_consent_verifier_idx ON oidc_flow (consent_verifier);
CREATE INDEX oidc_flow_client_id_subject_idx ON oidc_flow (client_id, nid, subject);
CREATE TABLE oidc_logout_request (
  challenge varchar(36) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  verifier varchar(36) NOT NULL,
  subject varchar(255) NOT NULL,
  sid varchar(36) NOT NULL,
  client_id varchar(190) NULL,
  request_url text NOT NULL,
  was_used boolean NOT NULL DEFAULT false,
  accepted boolean NOT NULL DEFAULT false,
  rejected boolean NOT NULL DEFAULT false,
  CONSTRAINT oidc_logout_request_verifier_key UNIQUE (verifier)
);
