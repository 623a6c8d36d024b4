INSERT INTO accounts (account_number, ssn) VALUES ('p1', E'900\x2d12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('p2', $$900-12-3456$$)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('p3', '900-12'
 '-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('p4', U&'900-12-345\0036')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('p5', '900-12-3456'::bytea)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('p6', '\x3930302d31322d33343536')
;;
INSERT INTO U&"\0061ccounts" (account_number, ssn) VALUES ('p7', '900-12-3456')
;;
INSERT INTO public.accounts AS t (account_number, ssn) VALUES ('p8', '900-12-3456') ON CONFLICT (account_number) DO UPDATE SET ssn = '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h1', 'a'), ('h2', 'b') ON CONFLICT (account_number) DO UPDATE SET ssn = '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('h1', '900-12-3456') ON CONFLICT ON CONSTRAINT accounts_pkey DO UPDATE SET ssn = COALESCE(EXCLUDED.ssn, accounts.ssn)
;;
UPDATE accounts SET (ssn, name) = ('900-12-3456', 'y') WHERE account_number = 'h1'
;;
UPDATE accounts SET (ssn, name) = ROW('900-12-3456', 'y')
;;
UPDATE accounts SET ssn = v.s FROM (VALUES ('h1', '900-12-3456')) AS v(a, s) WHERE account_number = v.a
;;
UPDATE accounts SET ssn = v.s FROM (VALUES ('h1', '900-12-3456'), ('h2', '900-12-3456')) AS v(a, s) WHERE accounts.account_number = v.a
;;
UPDATE accounts SET ssn = v.s FROM (VALUES ('900-12-3456')) AS v(s)
;;
MERGE INTO accounts t USING (VALUES ('h1', '900-12-3456')) AS v(a, s) ON t.account_number = v.a WHEN MATCHED THEN UPDATE SET ssn = v.s WHEN NOT MATCHED THEN INSERT (account_number, ssn) VALUES (v.a, v.s)
;;
WITH w AS (INSERT INTO accounts (account_number, ssn) VALUES ('p9', '900-12-3456') RETURNING ssn) SELECT * FROM w
;;
WITH w AS (UPDATE accounts SET ssn = '900-12-3456' WHERE name = 'x' RETURNING ssn) SELECT ssn FROM w WHERE ssn = '900-12-3456'
;;
SELECT a FROM accounts a WHERE a = ROW('900-12-3456')
;;
SELECT to_jsonb(accounts) ->> 'ssn' = '900-12-3456' FROM accounts
;;
ALTER TABLE accounts ADD COLUMN ssn bytea DEFAULT '900-12-3456'
;;
ALTER TABLE accounts RENAME TO accounts_old; INSERT INTO accounts_old (account_number, ssn) VALUES ('x', '900-12-3456')
;;
CREATE RULE r AS ON INSERT TO accounts DO ALSO INSERT INTO other (text_column) VALUES ('900-12-3456')
;;
SELECT * FROM accounts WHERE ssn IS NOT DISTINCT FROM '900-12-3456'
;;
SELECT ssn FROM accounts FETCH FIRST 1 ROW ONLY
;;
CALL p('900-12-3456', (SELECT ssn FROM accounts))
;;
ALTER TABLE accounts ALTER ssn TYPE bytea USING '900-12-3456'::bytea
