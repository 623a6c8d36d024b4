CREATE TABLE IF NOT EXISTS amp_sub_invoices (
    set_id varbinary(64) NOT NULL,
    state smallint NOT NULL,
    created_at datetime(6) NOT NULL,
    settled_at datetime(6) NULL,
    settle_index bigint,
    invoice_id bigint NOT NULL,
    preimage varbinary(500),
    PRIMARY KEY (set_id, invoice_id),
    FOREIGN KEY (invoice_id) REFERENCES invoices(id)
);
CREATE INDEX amp_sub_invoices_invoice_id_idx ON amp_sub_invoices(invoice_id);
