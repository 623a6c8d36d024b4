CREATE TABLE audit_log (
    id     bigserial PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  bigint,
    detail json NOT NULL
);
CREATE TABLE contacts (
    id      serial PRIMARY KEY,
    user_id bigint NOT NULL,
    kind    text NOT NULL,
    value   text,
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE TABLE tags (name text PRIMARY KEY);
CREATE TABLE old_tags (LIKE tags INCLUDING ALL);
CREATE TABLE tag_names AS SELECT name FROM tags WITH NO DATA;
