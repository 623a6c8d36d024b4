-- +goose Up
ALTER TABLE addresses ADD COLUMN owner_ssn varchar(2000);
UPDATE addresses SET owner_ssn = (SELECT ssn FROM customers c WHERE c.id = addresses.customer_id);

-- +goose Down
ALTER TABLE addresses DROP COLUMN owner_ssn;
