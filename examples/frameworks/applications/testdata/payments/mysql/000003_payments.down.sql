DROP INDEX invoices_settle_index_idx ON invoices;
ALTER TABLE invoices DROP COLUMN source;
DROP TABLE invoice_payments;
