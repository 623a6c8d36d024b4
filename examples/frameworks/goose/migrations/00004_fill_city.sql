-- +goose Up
UPDATE customers SET city = 'unknown' WHERE city IS NULL AND ssn IS NOT NULL;

-- +goose Down
UPDATE customers SET city = NULL;
