-- +goose Up
CREATE TABLE addresses (id bigint PRIMARY KEY, customer_id bigint NOT NULL, street varchar(100));
CREATE INDEX addresses_customer ON addresses (customer_id);

-- +goose Down
DROP TABLE addresses;
