-- name: CreateCustomer :one
INSERT INTO customers (name, ssn, income) VALUES ($1, $2, $3) RETURNING *;

-- name: GetCustomer :one
SELECT * FROM customers WHERE id = $1;

-- name: CopyCustomers :copyfrom
INSERT INTO customers (id, name, ssn) VALUES ($1, $2, $3);

-- name: SetSSN :batchexec
UPDATE customers SET ssn = $1 WHERE id = $2;
