INSERT INTO accounts (account_number, ssn) VALUES ('h2', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h3', ('900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h4', CAST('900-12-3456' AS char(20)))
;;
insert /* a comment ' */ into accounts(ssn, account_number) values ('900-12-3456', 'h5') -- tail '
;;
INSERT INTO accounts (account_number, ssn, ssn) VALUES ('h6', 'x', '900-12-3456')
;;
INSERT INTO accounts (ssn) VALUES ('900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h7', '900-12-3456'), ('h8')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h9')
;;
INSERT INTO accounts VALUES ('h10', 1, 'n', '900-12-3456')
;;
INSERT INTO accounts SELECT 'h11', 1, 'n', '900-12-3456', NULL, NULL
;;
INSERT INTO accounts (account_number, ssn) SELECT 'h12', '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) SELECT 'h13', '900-12-3456' UNION ALL SELECT 'h14', '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) SELECT 'h15', '900-12-3456' UNION SELECT 'h16', '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) SELECT x.a, x.b FROM (SELECT 'h17' AS a, '900-12-3456' AS b) x
;;
INSERT INTO accounts (account_number, ssn) WITH w AS (SELECT 'h18' AS a, '900-12-3456' AS b) SELECT a, b FROM w
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h19', (SELECT '900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h20', CASE WHEN 1 = 1 THEN '900-12-3456' END)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h21', COALESCE(NULL, '900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h22', NULLIF('900-12-3456', ''))
;;
INSERT INTO accounts (account_number, note) VALUES ('h23', '900-12-3456')
;;
UPDATE accounts SET ssn = '900-12-3456'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'h1'
;;
UPDATE accounts AS z SET ssn = '900-12-3456' WHERE z.account_number = 'h1'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'h1' OR 1 = 1
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE NOT account_number = 'h1'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'h1' AND name = 'x'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = upper('h1')
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number LIKE 'h%'
;;
UPDATE accounts SET ssn = CASE account_number WHEN 'h1' THEN '900-12-3456' ELSE ssn END
;;
UPDATE accounts SET ssn = CASE WHEN account_number = 'h1' THEN '900-12-3456' END WHERE account_number IN ('h1', 'h2')
;;
UPDATE accounts SET ssn = COALESCE('900-12-3456', ssn) WHERE account_number = 'h1'
;;
UPDATE accounts SET ssn = '900-12-3456', ssn = 'other' WHERE account_number = 'h1'
;;
UPDATE accounts SET account_number = 'h1b', ssn = '900-12-3456' WHERE account_number = 'h1'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = (SELECT max(account_number) FROM other)
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE EXISTS (SELECT 1 FROM other o WHERE o.account_number = accounts.account_number)
;;
UPDATE accounts SET name = (SELECT '900-12-3456' FROM accounts WHERE ssn = '900-12-3456')
;;
SELECT * FROM accounts WHERE ssn = '900-12-3456'
;;
SELECT * FROM (SELECT ssn AS s FROM accounts) t WHERE s = '900-12-3456'
;;
SELECT * FROM accounts a JOIN other o ON o.text_column = a.ssn AND a.ssn = '900-12-3456'
;;
SELECT (SELECT ssn FROM accounts b WHERE b.account_number = a.account_number) = '900-12-3456' FROM accounts a
;;
WITH RECURSIVE r AS (SELECT account_number, ssn FROM accounts UNION ALL SELECT account_number, ssn FROM r WHERE ssn = '900-12-3456') SELECT * FROM r
;;
SELECT ssn IN ('900-12-3456') FROM accounts
;;
SELECT count(*) FROM accounts HAVING max(ssn) = '900-12-3456'
;;
SELECT count(CASE WHEN ssn = '900-12-3456' THEN 1 END) FROM accounts
;;
SELECT row_number() OVER (ORDER BY ssn), '900-12-3456' = ssn FROM accounts
;;
DELETE FROM accounts WHERE ssn LIKE '900-12-3456'
;;
EXPLAIN SELECT * FROM accounts WHERE ssn = '900-12-3456'
;;
EXPLAIN UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'h1'
;;
EXPLAIN UPDATE accounts SET ssn = '900-12-3456' WHERE name = 'x'
;;
CREATE TABLE accounts2 AS SELECT account_number, '900-12-3456' AS ssn FROM accounts WHERE ssn = '900-12-3456'
;;
ALTER TABLE accounts ALTER COLUMN ssn SET DEFAULT '900-12-3456'
;;
SELECT a.ssn FROM accounts a, accounts b WHERE a.ssn = b.ssn AND a.ssn = '900-12-3456'
;;
INSERT INTO "accounts" (account_number, ssn) VALUES ('h30', '900-12-3456')
;;
INSERT INTO ACCOUNTS (ACCOUNT_NUMBER, SSN) VALUES ('h31', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h32', '900-12-3456') garbage
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x1', '900-12-3456') /* ; */ ; -- x
;;
insert into accounts(account_number,ssn)values('x2','900-12-3456')
;;
WITH a AS (SELECT '900-12-3456' AS s) UPDATE accounts SET ssn = (SELECT s FROM a) WHERE account_number = 'a1'
;;
WITH x AS (SELECT 1) INSERT INTO accounts (account_number, ssn) VALUES ('x3', '900-12-3456')
;;
SELECT * FROM accounts WHERE (ssn, name) = ('900-12-3456', 'a')
;;
SELECT * FROM accounts WHERE (ssn, name) IN (('900-12-3456', 'a'))
;;
SELECT * FROM accounts WHERE ROW(ssn, name) > ROW('900-12-3456', 'a')
;;
SELECT * FROM accounts a WHERE EXISTS (SELECT 1 FROM other o WHERE o.text_column = '900-12-3456' AND o.text_column = a.ssn)
;;
SELECT CASE ssn WHEN '900-12-3456' THEN 1 END FROM accounts
;;
SELECT * FROM accounts ORDER BY CASE WHEN ssn = '900-12-3456' THEN 0 ELSE 1 END
;;
SELECT * FROM accounts GROUP BY account_number HAVING ssn = '900-12-3456'
;;
SELECT sum(CASE WHEN ssn = '900-12-3456' THEN 1 ELSE 0 END) OVER () FROM accounts
;;
SELECT * FROM other WHERE text_column IN (SELECT ssn FROM accounts WHERE ssn = '900-12-3456')
;;
UPDATE other SET text_column = '900-12-3456' WHERE id IN (SELECT 1 FROM accounts WHERE ssn = '900-12-3456')
;;
DELETE FROM other WHERE EXISTS (SELECT 1 FROM accounts WHERE ssn = '900-12-3456')
;;
UPDATE accounts SET name = CASE WHEN ssn = '900-12-3456' THEN 'y' ELSE name END
;;
UPDATE accounts SET ssn = CASE WHEN ssn = '900-12-3456' THEN NULL ELSE ssn END
;;
UPDATE accounts SET ssn = NULLIF('900-12-3456', ssn)
;;
UPDATE accounts SET ssn = (('900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x4', (('900-12-3456')))
;;
INSERT INTO accounts (account_number, ssn) (SELECT 'x5', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) SELECT * FROM (SELECT 'x6', '900-12-3456') q
;;
INSERT INTO accounts (account_number, ssn) SELECT account_number, '900-12-3456' FROM other WHERE id = 1
;;
INSERT INTO accounts (account_number, ssn) SELECT o.account_number, '900-12-3456' FROM other o JOIN accounts a ON a.account_number = o.account_number
;;
INSERT INTO accounts (ssn, account_number) SELECT '900-12-3456', 'x7' WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE account_number = 'x7')
;;
SELECT * FROM accounts a JOIN (SELECT '900-12-3456' AS ssn) b USING (ssn)
;;
SELECT * FROM accounts NATURAL JOIN (SELECT '900-12-3456' AS ssn) b
;;
SELECT a.name FROM accounts a LEFT JOIN other o ON a.ssn = '900-12-3456'
;;
SELECT ssn FROM accounts UNION ALL SELECT '900-12-3456'
;;
SELECT '900-12-3456' UNION ALL SELECT ssn FROM accounts
;;
SELECT ssn FROM accounts EXCEPT SELECT '900-12-3456'
;;
SELECT ssn FROM accounts INTERSECT SELECT '900-12-3456'
;;
SELECT * FROM accounts WHERE ssn BETWEEN '900-12-3456' AND '900-12-3457'
;;
SELECT * FROM accounts WHERE '900-12-3456' BETWEEN ssn AND ssn
;;
SELECT * FROM accounts WHERE ssn IN (SELECT '900-12-3456')
;;
SELECT * FROM accounts WHERE '900-12-3456' IN (ssn, name)
;;
SELECT * FROM accounts WHERE '900-12-3456' IN (SELECT ssn FROM accounts)
;;
SELECT * FROM accounts WHERE COALESCE(ssn, '900-12-3456') IS NULL
;;
SELECT * FROM accounts LIMIT (SELECT count(*) FROM accounts WHERE ssn = '900-12-3456')
;;
CREATE TABLE t2 AS SELECT '900-12-3456' AS ssn FROM accounts WHERE ssn IS NOT NULL AND ssn = '900-12-3456'
;;
ALTER TABLE accounts ADD CONSTRAINT c CHECK (ssn <> '900-12-3456')
;;
CREATE INDEX i9 ON accounts (ssn)
;;
EXPLAIN INSERT INTO accounts (account_number, ssn) VALUES ('x8', '900-12-3456')
;;
EXPLAIN DELETE FROM accounts WHERE ssn = '900-12-3456'
;;
INSERT INTO accounts (account_number, SSN) VALUES ('x9', '900-12-3456')
;;
INSERT INTO accounts (account_number, "ssn") VALUES ('x10', '900-12-3456')
;;
UPDATE accounts SET accounts.ssn = '900-12-3456' WHERE account_number = 'a1'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'a1' AND ssn = '900-12-3456'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE 'a1' = account_number
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'a1' OR account_number = 'a2'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = account_number
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = name
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE (account_number) = ('a1') AND tenant_id = 1 AND 1=1
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'a1' AND account_number = 'a2'
;;
﻿INSERT INTO accounts (account_number, ssn) VALUES ('x11', '900-12-3456')
;;
INSERT INTO accounts(account_number, ssn)VALUES ('x13', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x14', '900-12-3456');;;
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x15', '900-12-3456'), ('x15', '900-12-3456')
;;
SELECT 1; INSERT INTO accounts (account_number, ssn) VALUES ('x16', '900-12-3456')
;;
(SELECT ssn FROM accounts WHERE ssn = '900-12-3456')
;;
SELECT ssn = ssn AND name = '900-12-3456' FROM accounts
;;
SELECT concat(ssn, '900-12-3456') FROM accounts
;;
SELECT * FROM accounts a, other o WHERE o.text_column = a.note AND a.note = '900-12-3456'
;;
UPDATE other SET text_column = '900-12-3456' FROM accounts WHERE accounts.ssn = '900-12-3456'
;;
UPDATE accounts SET note = '900-12-3456', ssn = note WHERE account_number = 'a1'
;;
UPDATE accounts SET balance = '900-12-3456' WHERE account_number = 'a1'
;;
INSERT INTO accounts (account_number, balance) VALUES ('x20', '900-12-3456')
