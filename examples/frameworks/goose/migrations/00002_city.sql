-- +goose Up
-- A change of the protected table itself: sealsql notices the new column.
ALTER TABLE customers ADD COLUMN city varchar(100);
CREATE INDEX customers_city ON customers (city);

-- +goose Down
ALTER TABLE customers DROP COLUMN city;
