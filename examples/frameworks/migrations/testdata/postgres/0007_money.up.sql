CREATE TABLE payments (
    id      bigserial PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    iban    varchar(34) NOT NULL,
    amount  numeric(12,2) NOT NULL,
    paid_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    CHECK (iban IS NOT NULL)
);
CREATE TABLE notes (
    id      bigserial PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    title   text NOT NULL,
    body    text NOT NULL DEFAULT ''
);
CREATE INDEX payments_by_user ON payments (user_id, iban DESC NULLS LAST);
