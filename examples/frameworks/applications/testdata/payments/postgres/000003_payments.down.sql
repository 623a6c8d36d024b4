DROP INDEX invoices_settle_index_idx;
ALTER TABLE invoices DROP COLUMN source;
DROP TABLE invoice_payments;
