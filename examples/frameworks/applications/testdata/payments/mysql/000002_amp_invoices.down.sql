DROP TABLE IF EXISTS amp_sub_invoices;
