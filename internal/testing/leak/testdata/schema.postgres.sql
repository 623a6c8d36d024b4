CREATE TABLE items (id int PRIMARY KEY, name text, ssn {string});
CREATE TABLE "Чеки" (id int PRIMARY KEY, name text, "цена" {string});
CREATE VIEW v_tax AS SELECT account_number, name, ssn AS tax_id FROM accounts;
CREATE SCHEMA hr;
CREATE TABLE hr.staff (id int PRIMARY KEY, name text, ssn {string});
CREATE TABLE staff (id int PRIMARY KEY, name text, ssn text);
CREATE TABLE lists (id int PRIMARY KEY, list text[], doc jsonb);
INSERT INTO lists VALUES (1, '{a,b}', '{"a": 1}');
