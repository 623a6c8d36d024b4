CREATE TABLE tenants (
    id   serial PRIMARY KEY,
    name text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS users (
    id         bigserial PRIMARY KEY,
    tenant_id  integer NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    name       character varying(255) NOT NULL,
    email      text,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE users IS 'people; one row each';
COMMENT ON COLUMN users.email IS 'where mail goes';
