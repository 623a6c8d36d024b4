CREATE TABLE items (id int PRIMARY KEY, name varchar(100), ssn {string});
CREATE TABLE `Чеки` (id int PRIMARY KEY, name varchar(100), `цена` {string});
CREATE VIEW v_tax AS SELECT account_number, name, ssn AS tax_id FROM accounts;
