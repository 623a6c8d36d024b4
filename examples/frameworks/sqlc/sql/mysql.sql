-- name: CreateCustomer :execlastid
INSERT INTO customers (name, ssn, income) VALUES (?, ?, ?);

-- name: GetCustomer :one
SELECT * FROM customers WHERE id = ?;

-- name: ListCustomers :many
SELECT id, name, ssn FROM customers WHERE id IN (sqlc.slice('ids')) ORDER BY id;

-- name: SetSSN :execrows
UPDATE customers SET ssn = ? WHERE id = ?;

-- name: SetSSNs :exec
UPDATE customers SET ssn = sqlc.arg(ssn) WHERE name = sqlc.arg(name) AND ssn IS NULL;

-- name: AddOrder :exec
INSERT INTO orders (customer_id, item) VALUES (?, ?);

-- name: OrdersWithCustomer :many
SELECT sqlc.embed(o), sqlc.embed(c) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.item = ?;

-- name: DeleteCustomer :execresult
DELETE FROM customers WHERE id = ?;
