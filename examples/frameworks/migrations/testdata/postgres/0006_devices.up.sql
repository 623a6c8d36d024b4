CREATE TABLE devices (
    id         serial PRIMARY KEY,
    user_id    bigint REFERENCES users ON DELETE SET NULL,
    label      text COLLATE "C",
    push_token text
);
CREATE TABLE invitations (
    id          serial PRIMARY KEY,
    tenant_id   integer NOT NULL REFERENCES tenants,
    email       varchar(320) NOT NULL,
    accepted_at timestamptz,
    CONSTRAINT invitations_once UNIQUE (tenant_id, email)
);
CREATE UNIQUE INDEX devices_push ON devices (push_token) WHERE push_token IS NOT NULL;
CREATE INDEX invitations_open ON invitations (email) WHERE accepted_at IS NULL;
