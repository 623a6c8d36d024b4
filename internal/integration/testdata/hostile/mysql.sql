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
;;
INSERT INTO accounts (account_number, ssn) VALUE ('y1', '900-12-3456')
;;
INSERT accounts (account_number, ssn) VALUES ('y2', '900-12-3456')
;;
INSERT LOW_PRIORITY IGNORE INTO accounts (account_number, ssn) VALUES ('y3', '900-12-3456')
;;
INSERT INTO accounts VALUES ROW('y4', 1, 'n', '900-12-3456', NULL, NULL)
;;
INSERT INTO accounts () VALUES ()
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y5', N'900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y6', "900-12-3456")
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y7', _binary '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y8', BINARY '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y9', '900-12-3456' COLLATE utf8mb4_bin)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y10', CONVERT('900-12-3456' USING utf8mb4))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y11', @v := '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y12', IF(1, '900-12-3456', NULL))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y13', IFNULL(NULL, '900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y14', 0x3930302d31322d33343536)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y15', TRIM('900-12-3456'))
;;
INSERT INTO accounts (account_number, ssn) VALUES ('a1', 'z') ON DUPLICATE KEY UPDATE ssn = IF(ssn = '900-12-3456', VALUES(ssn), ssn)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('a1', 'z') ON DUPLICATE KEY UPDATE ssn = CONCAT(VALUES(ssn), '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn, name) VALUES ('a1', 'z', '900-12-3456') ON DUPLICATE KEY UPDATE ssn = VALUES(name)
;;
INSERT INTO accounts (account_number, ssn, name) VALUES ('a1', '900-12-3456', 'n') ON DUPLICATE KEY UPDATE name = VALUES(ssn)
;;
/*!INSERT INTO accounts (account_number, ssn) VALUES ('y20', '900-12-3456')*/
;;
/*M!100100 INSERT INTO accounts (account_number, ssn) VALUES ('y21', '900-12-3456') */
;;
INSERT /*! INTO accounts (account_number, ssn) */ VALUES ('y22', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y23', /*!99999 'x' */ /*!40000 '900-12-3456' */)
;;
SELECT 1 /*! FROM accounts WHERE ssn = '900-12-3456' */
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y24', '900-12-3456') # comment
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y25', '900-12-3456') --
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y26\', '900-12-3456', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y27''', '900-12-3456')
;;
INSERT INTO `acc``ounts` VALUES ('900-12-3456', (SELECT ssn FROM accounts))
;;
REPLACE INTO accounts SELECT 'y28', 1, 'n', '900-12-3456', NULL, NULL
;;
REPLACE INTO accounts (account_number, ssn) SELECT account_number, '900-12-3456' FROM other
;;
UPDATE accounts SET ssn := '900-12-3456'
;;
UPDATE LOW_PRIORITY accounts SET ssn = '900-12-3456' ORDER BY ssn LIMIT 1
;;
UPDATE accounts a LEFT JOIN other o ON o.id = 1 SET a.ssn = '900-12-3456' WHERE a.account_number = 'a1'
;;
UPDATE other o JOIN accounts a ON a.ssn = '900-12-3456' SET o.text_column = '900-12-3456'
;;
UPDATE accounts PARTITION (p0) SET ssn = '900-12-3456'
;;
UPDATE accounts SET ssn = @a := '900-12-3456'
;;
DELETE FROM accounts WHERE ssn <=> '900-12-3456'
;;
SELECT * FROM accounts WHERE ssn RLIKE '900-12-3456'
;;
SELECT * FROM accounts WHERE MATCH (note) AGAINST ('900-12-3456')
;;
SELECT * FROM accounts WHERE ssn LIKE BINARY '900-12-3456' ESCAPE '!'
;;
SELECT * FROM accounts PROCEDURE ANALYSE()
;;
SELECT ssn INTO @a FROM accounts WHERE account_number = 'a1'
;;
SELECT @a := ssn FROM accounts
;;
SELECT ssn FROM accounts WHERE @a := '900-12-3456' AND ssn = @a
;;
SELECT JSON_OBJECT('a', ssn, 'b', '900-12-3456') FROM accounts
;;
SELECT ssn FROM accounts HAVING ssn = '900-12-3456'
;;
SELECT ssn x FROM accounts HAVING x = '900-12-3456'
;;
SELECT ssn x FROM accounts ORDER BY x = '900-12-3456'
;;
SELECT ssn x FROM accounts GROUP BY x
;;
SELECT ssn FROM accounts ORDER BY 1
;;
SELECT name n, ssn FROM accounts GROUP BY 2
;;
DO (SELECT ssn = '900-12-3456' FROM accounts)
;;
SET @q = (SELECT ssn FROM accounts LIMIT 1)
;;
SET @q = (SELECT count(*) FROM accounts WHERE ssn = '900-12-3456')
;;
PREPARE s FROM 'UPDATE accounts SET ssn = ''900-12-3456'''
;;
EXECUTE IMMEDIATE CONCAT('UPDATE acc', 'ounts SET ssn = ''900-12-3456''', (SELECT 1 FROM accounts))
;;
HANDLER accounts READ FIRST WHERE ssn = '900-12-3456'
;;
LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE accounts SET ssn = '900-12-3456'
;;
LOAD XML LOCAL INFILE '/tmp/x' INTO TABLE accounts
;;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO UPDATE accounts SET ssn = '900-12-3456'
;;
CREATE TRIGGER t1 BEFORE INSERT ON accounts FOR EACH ROW SET NEW.ssn = '900-12-3456'
;;
ALTER TABLE accounts ADD COLUMN z INT AS (ssn = '900-12-3456')
;;
ALTER TABLE accounts CHANGE ssn ssn BLOB DEFAULT '900-12-3456'
;;
ALTER TABLE accounts PARTITION BY LIST COLUMNS (ssn) (PARTITION p0 VALUES IN ('900-12-3456'))
;;
BEGIN NOT ATOMIC UPDATE accounts SET ssn = '900-12-3456'; END
;;
ANALYZE UPDATE accounts SET ssn = '900-12-3456'
;;
ANALYZE FORMAT=JSON SELECT * FROM accounts WHERE ssn = '900-12-3456'
;;
DESC SELECT * FROM accounts WHERE ssn = '900-12-3456'
;;
WITH w AS (SELECT '900-12-3456' s) DELETE FROM accounts WHERE ssn = (SELECT s FROM w)
;;
DELETE a, o FROM accounts a JOIN other o ON a.ssn = '900-12-3456'
;;
SELECT * FROM accounts FOR SYSTEM_TIME ALL WHERE ssn = '900-12-3456'
;;
SELECT * FROM accounts a WHERE a . ssn = '900-12-3456'
;;
SELECT * FROM .accounts WHERE .accounts.ssn = '900-12-3456'
;;
INSERT INTO accounts (accounts.account_number, accounts.ssn) VALUES ('y40', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y41', '900-12-3456') RETURNING ssn = '900-12-3456'
;;
INSERT INTO v_accounts (account_number, ssn) VALUES ('y42', '900-12-3456')
;;
SET STATEMENT max_statement_time=5 FOR INSERT INTO accounts (account_number, ssn) VALUES ('y50', '900-12-3456')
;;
SET STATEMENT sql_mode='ANSI_QUOTES' FOR INSERT INTO accounts (account_number, ssn) VALUES ('y51', "900-12-3456")
;;
INSERT INTO accounts (account_number, ssn) SELECT seq, '900-12-3456' FROM seq_1_to_3
;;
SELECT account_number FROM accounts GROUP BY account_number, ssn = '900-12-3456' WITH ROLLUP
;;
EXECUTE IMMEDIATE 'UPDATE accounts SET ssn = ?' USING '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('y52', '900-12-3456') RETURNING 'y53' AS account_number, ssn
