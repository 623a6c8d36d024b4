CREATE TABLE clients (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    secret       varchar(256) NOT NULL DEFAULT '',
    redirect_uris text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE grants (
    id        serial,
    client_id text NOT NULL,
    user_id   bigint NOT NULL,
    code      text NOT NULL,
    payload   jsonb,
    PRIMARY KEY (id),
    CONSTRAINT grants_code_key UNIQUE (code),
    FOREIGN KEY (client_id) REFERENCES clients (id),
    FOREIGN KEY (user_id) REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED
);
