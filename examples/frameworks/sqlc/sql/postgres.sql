-- name: CreateCustomer :one
INSERT INTO customers (name, ssn, income) VALUES ($1, $2, $3) RETURNING *;

-- name: GetCustomer :one
SELECT * FROM customers WHERE id = $1;

-- name: ListCustomers :many
SELECT id, name, ssn FROM customers WHERE id BETWEEN sqlc.arg(first) AND sqlc.arg(last) ORDER BY id;

-- name: SetSSN :execrows
UPDATE customers SET ssn = $2 WHERE id = $1;

-- name: SetSSNs :exec
UPDATE customers SET ssn = sqlc.arg(ssn) WHERE name = sqlc.arg(name) AND ssn IS NULL;

-- name: AddOrder :exec
INSERT INTO orders (customer_id, item) VALUES ($1, $2);

-- name: OrdersWithCustomer :many
SELECT sqlc.embed(o), sqlc.embed(c) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.item = $1;

-- name: DeleteCustomer :execresult
DELETE FROM customers WHERE id = $1;
