CREATE TABLE IF NOT EXISTS invoice_sequences (
    name varchar(60) PRIMARY KEY,
    current_value bigint NOT NULL
);
INSERT INTO invoice_sequences (name, current_value) VALUES ('settle_index', 0);
CREATE TABLE IF NOT EXISTS invoices (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    hash varbinary(500),
    preimage varbinary(500),
    settle_index integer,
    settled_at datetime(6) NULL,
    memo varchar(500),
    amount_msat bigint NOT NULL,
    cltv_delta integer,
    expiry integer NOT NULL,
    payment_addr varbinary(500) UNIQUE,
    payment_request varchar(500) UNIQUE,
    state smallint NOT NULL,
    amount_paid_msat bigint NOT NULL,
    is_amp boolean NOT NULL,
    is_hodl boolean NOT NULL,
    is_keysend boolean NOT NULL,
    created_at datetime(6) NOT NULL
);
CREATE INDEX invoices_hash_idx ON invoices(hash);
CREATE INDEX invoices_preimage_idx ON invoices(preimage);
CREATE INDEX invoices_settled_at_idx ON invoices(settled_at);
CREATE INDEX invoices_created_at_idx ON invoices(created_at);
CREATE TABLE IF NOT EXISTS invoice_features (
    feature integer NOT NULL,
    invoice_id bigint NOT NULL,
    PRIMARY KEY (feature, invoice_id),
    FOREIGN KEY (invoice_id) REFERENCES invoices(id)
);
CREATE INDEX invoice_feature_invoice_id_idx ON invoice_features(invoice_id);
CREATE TABLE IF NOT EXISTS invoice_htlcs (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    chan_id varchar(40) NOT NULL,
    htlc_id bigint NOT NULL,
    amount_msat bigint NOT NULL,
    state smallint NOT NULL,
    resolve_time datetime(6) NULL,
    invoice_id bigint NOT NULL,
    UNIQUE (chan_id, htlc_id),
    FOREIGN KEY (invoice_id) REFERENCES invoices(id)
);
