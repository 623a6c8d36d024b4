CREATE TABLE invoice_payments (
    id bigserial PRIMARY KEY,
    payment_hash bytea NOT NULL,
    intent_payload bytea,
    amount_msat bigint NOT NULL,
    failure text NOT NULL DEFAULT 'none',
    created_at timestamp NOT NULL,
    CONSTRAINT invoice_payments_hash_unique UNIQUE (payment_hash)
);
ALTER TABLE invoices ADD COLUMN source varchar(20);
UPDATE invoices SET source = 'node' WHERE source IS NULL AND is_keysend = false;
CREATE UNIQUE INDEX invoices_settle_index_idx ON invoices(settle_index);
