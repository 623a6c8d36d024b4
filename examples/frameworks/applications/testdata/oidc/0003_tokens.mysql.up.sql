CREATE TABLE oidc_code (
  signature varchar(255) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  request_id varchar(40) NOT NULL,
  requested_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  client_id varchar(190) NOT NULL,
  scope text NOT NULL,
  granted_scope text NOT NULL,
  form_data text NOT NULL,
  session_data blob NOT NULL,
  subject varchar(255) NOT NULL DEFAULT '',
  active boolean NOT NULL DEFAULT true,
  challenge_id varchar(40) NULL,
  CONSTRAINT oidc_code_client_fk FOREIGN KEY (client_id, nid) REFERENCES oidc_client (id, nid) ON DELETE CASCADE
);
CREATE INDEX oidc_code_request_id_idx ON oidc_code (request_id, nid);
CREATE INDEX oidc_code_requested_at_idx ON oidc_code (nid, requested_at);
CREATE INDEX oidc_code_client_id_subject_idx ON oidc_code (client_id, subject, nid);
CREATE TABLE oidc_access (
  signature varchar(255) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  request_id varchar(40) NOT NULL,
  requested_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  client_id varchar(190) NOT NULL,
  scope text NOT NULL,
  granted_scope text NOT NULL,
  form_data text NOT NULL,
  session_data blob NOT NULL,
  subject varchar(255) NOT NULL DEFAULT '',
  active boolean NOT NULL DEFAULT true,
  challenge_id varchar(40) NULL,
  CONSTRAINT oidc_access_client_fk FOREIGN KEY (client_id, nid) REFERENCES oidc_client (id, nid) ON DELETE CASCADE
);
CREATE INDEX oidc_access_request_id_idx ON oidc_access (request_id, nid);
CREATE INDEX oidc_access_requested_at_idx ON oidc_access (nid, requested_at);
CREATE INDEX oidc_access_client_id_subject_idx ON oidc_access (client_id, subject, nid);
CREATE TABLE oidc_refresh (
  signature varchar(255) NOT NULL PRIMARY KEY,
  nid char(36) NOT NULL,
  request_id varchar(40) NOT NULL,
  requested_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  client_id varchar(190) NOT NULL,
  scope text NOT NULL,
  granted_scope text NOT NULL,
  form_data text NOT NULL,
  session_data blob NOT NULL,
  subject varchar(255) NOT NULL DEFAULT '',
  active boolean NOT NULL DEFAULT true,
  challenge_id varchar(40) NULL,
  CONSTRAINT oidc_refresh_client_fk FOREIGN KEY (client_id, nid) REFERENCES oidc_client (id, nid) ON DELETE CASCADE
);
CREATE INDEX oidc_refresh_request_id_idx ON oidc_refresh (request_id, nid);
CREATE INDEX oidc_refresh_requested_at_idx ON oidc_refresh (nid, requested_at);
CREATE INDEX oidc_refresh_client_id_subject_idx ON oidc_refresh (client_id, subject, nid);
