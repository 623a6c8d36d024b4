CREATE TABLE oidc_client (
  id varchar(190) NOT NULL,
  nid char(36) NOT NULL,
  client_name text NOT NULL,
  client_secret text NOT NULL,
  redirect_uris text NOT NULL,
  grant_types text NOT NULL,
  scope text NOT NULL,
  owner text NOT NULL,
  contacts varchar(500) NOT NULL DEFAULT '',
  client_secret_expires_at integer NOT NULL DEFAULT 0,
  token_endpoint_auth_method varchar(25) NOT NULL DEFAULT 'client_secret_basic',
  PRIMARY KEY (id, nid)
);
CREATE TABLE oidc_jwk (
  pk char(36) PRIMARY KEY,
  nid char(36) NOT NULL,
  sid varchar(190) NOT NULL,
  kid varchar(190) NOT NULL,
  version int NOT NULL DEFAULT 0,
  keydata text NOT NULL,
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX oidc_jwk_sid_kid_nid_key ON oidc_jwk (sid, kid, nid);
