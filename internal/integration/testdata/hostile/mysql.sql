INSERT INTO accounts SET account_number = 'm1', ssn = '900-12-3456'
;;
INSERT INTO `accounts` (account_number, ssn) VALUES ('m2', "900-12-3456")
;;
INSERT INTO accounts (account_number, ssn) VALUES ('m3', '900-12' '-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('m4', x'3930302d31322d33343536')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('m5', _utf8mb4'900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('m6', '900\-12-3456')
;;
/*!50000 INSERT INTO accounts (account_number, ssn) VALUES ('m7', '900-12-3456') */
;;
INSERT INTO accounts (account_number, ssn) /*! VALUES ('m8', '900-12-3456') */
;;
REPLACE INTO accounts (account_number, ssn) VALUES ('m9', '900-12-3456')
;;
REPLACE accounts SET account_number = 'm10', ssn = '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h1', 'a') ON DUPLICATE KEY UPDATE ssn = '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h1', '900-12-3456') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), name = VALUES(ssn)
;;
UPDATE accounts a, other o SET a.ssn = '900-12-3456' WHERE a.account_number = o.account_number
;;
UPDATE accounts a JOIN other o ON a.account_number = 'h1' SET a.ssn = '900-12-3456', o.text_column = a.ssn
;;
UPDATE accounts SET ssn = '900-12-3456' ORDER BY account_number LIMIT 1
;;
SET @x = '900-12'; UPDATE accounts SET ssn = CONCAT(@x, '-3456')
;;
EXECUTE IMMEDIATE "UPDATE accounts SET ssn = '900-12-3456'"
;;
UPDATE test.accounts SET ssn = '900-12-3456'
;;
SELECT ssn AS name FROM accounts ORDER BY name = '900-12-3456'
;;
SELECT ssn AS s FROM accounts HAVING s = '900-12-3456'
;;
SELECT count(*), ssn AS s FROM accounts GROUP BY s = '900-12-3456'
;;
ALTER TABLE accounts MODIFY ssn BLOB DEFAULT '900-12-3456'
;;
CREATE TABLE accounts (account_number int, ssn blob DEFAULT '900-12-3456')
;;
IF 1 THEN UPDATE accounts SET ssn = '900-12-3456'; END IF
;;
IF 1 THEN UPDATE accounts SET ssn = '900-12-3456'; BEGIN NOT ATOMIC SELECT 1; END; END IF
;;
WHILE 0 DO UPDATE accounts SET ssn = '900-12-3456'; END WHILE
;;
FOR i IN 1..1 DO UPDATE accounts SET ssn = '900-12-3456'; END FOR
;;
CASE 1 WHEN 1 THEN UPDATE accounts SET ssn = '900-12-3456'; END CASE
;;
REPEAT UPDATE accounts SET ssn = '900-12-3456'; UNTIL 1 END REPEAT
;;
LOOP UPDATE accounts SET ssn = '900-12-3456'; END LOOP
;;
a: LOOP UPDATE accounts SET ssn = '900-12-3456'; LEAVE a; END LOOP
;;
a: BEGIN NOT ATOMIC UPDATE accounts SET ssn = '900-12-3456'; END
