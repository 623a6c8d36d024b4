CREATE TABLE invoice_payments (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    payment_hash varbinary(500) NOT NULL,
    intent_payload varbinary(500),
    amount_msat bigint NOT NULL,
    failure varchar(500) NOT NULL DEFAULT 'none',
    created_at datetime(6) NOT NULL,
    CONSTRAINT invoice_payments_hash_unique UNIQUE (payment_hash)
);
ALTER TABLE invoices ADD COLUMN source varchar(20);
UPDATE invoices SET source = 'node' WHERE source IS NULL AND is_keysend = false;
CREATE UNIQUE INDEX invoices_settle_index_idx ON invoices(settle_index);
