DROP TABLE IF EXISTS invoice_htlcs;
DROP TABLE IF EXISTS invoice_features;
DROP TABLE IF EXISTS invoices;
DROP TABLE IF EXISTS invoice_sequences;
