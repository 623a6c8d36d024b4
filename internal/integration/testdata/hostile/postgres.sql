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
;;
SELECT ssn FROM accounts WHERE ssn = ANY (ARRAY['900-12-3456'])
;;
SELECT ssn FROM accounts WHERE ssn = ANY (VALUES ('900-12-3456'::bytea))
;;
SELECT ssn FROM accounts WHERE ssn ~ '900-12-3456'
;;
SELECT ssn FROM accounts WHERE ssn SIMILAR TO '900-12-3456'
;;
SELECT count(*) FILTER (WHERE ssn = '900-12-3456') FROM accounts
;;
SELECT * FROM accounts a CROSS JOIN LATERAL (SELECT a.ssn = '900-12-3456') x
;;
SELECT * FROM accounts, unnest(ARRAY['900-12-3456']) u(s) WHERE u.s::bytea = ssn
;;
SELECT * FROM accounts, generate_series(1, 2) g WHERE ssn = '900-12-3456'
;;
SELECT ssn FROM accounts WINDOW w AS (PARTITION BY ssn = '900-12-3456')
;;
SELECT (accounts.*)::text = '900-12-3456' FROM accounts
;;
SELECT accounts.* = ROW('900-12-3456') FROM accounts
;;
SELECT a = a AND a::text LIKE '900-12-3456' FROM accounts a
;;
SELECT row_to_json(x) FROM (SELECT ssn, '900-12-3456' FROM accounts) x
;;
INSERT INTO accounts AS t (account_number, ssn) VALUES ('a1', 'z') ON CONFLICT (account_number) DO UPDATE SET ssn = CASE WHEN t.ssn = '900-12-3456' THEN excluded.ssn END
;;
INSERT INTO accounts AS t (account_number, ssn) VALUES ('a1', 'z') ON CONFLICT (account_number) DO UPDATE SET name = 'k' WHERE t.ssn = '900-12-3456'
;;
INSERT INTO accounts AS t (account_number, ssn) VALUES ('a1', 'z') ON CONFLICT (account_number) DO UPDATE SET (name, ssn) = ROW('k', '900-12-3456')
;;
INSERT INTO accounts AS t (account_number, ssn) VALUES ('a1', 'z') ON CONFLICT (account_number) DO UPDATE SET (name, ssn) = (SELECT 'k', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('a1', 'z') ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.name
;;
INSERT INTO accounts (account_number, ssn, name) VALUES ('a1', 'z', '900-12-3456') ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.name
;;
INSERT INTO accounts (account_number, ssn) OVERRIDING SYSTEM VALUE VALUES ('x30', '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn[1]) VALUES ('x31', '900-12-3456')
;;
UPDATE accounts SET ssn[0] = '900-12-3456'
;;
UPDATE accounts SET ssn = DEFAULT, name = ('900-12-3456'::bytea = ssn)::text
;;
UPDATE ONLY accounts * SET ssn = '900-12-3456'
;;
UPDATE public . accounts SET "ssn" = '900-12-3456' WHERE account_number = 'a1'
;;
DELETE FROM accounts USING (VALUES ('900-12-3456')) v(s) WHERE ssn = v.s::bytea
;;
MERGE INTO accounts t USING (VALUES ('a1', '900-12-3456')) v(a, s) ON t.account_number = v.a AND t.ssn = v.s::bytea WHEN MATCHED THEN DELETE
;;
MERGE INTO accounts t USING (VALUES ('a1', '900-12-3456')) v(a, s) ON t.account_number = v.a WHEN MATCHED AND t.ssn = '900-12-3456' THEN DELETE
;;
MERGE INTO accounts t USING (SELECT 'a1' a, '900-12-3456' s) v ON t.account_number = v.a WHEN MATCHED THEN UPDATE SET name = v.s, ssn = v.s
;;
MERGE INTO accounts t USING (VALUES ('zz', '900-12-3456')) v(a, s) ON false WHEN NOT MATCHED THEN INSERT (account_number, ssn) VALUES (v.a, v.s)
;;
MERGE INTO accounts t USING (VALUES ('zz', '900-12-3456')) v(a, s) ON true WHEN MATCHED THEN UPDATE SET ssn = v.s
;;
DO $$ BEGIN EXECUTE 'UPDATE acc' || 'ounts SET ssn = ''900-12-3456'''; END $$
;;
PREPARE z AS UPDATE accounts SET ssn = '900-12-3456'
;;
CREATE POLICY p ON accounts USING (ssn = '900-12-3456')
;;
CREATE STATISTICS s ON (ssn = '900-12-3456'), name FROM accounts
;;
CREATE TRIGGER t BEFORE INSERT ON accounts FOR EACH ROW WHEN (NEW.ssn = '900-12-3456') EXECUTE FUNCTION suppress_redundant_updates_trigger()
;;
SELECT ssn FROM accounts WHERE xmlserialize(CONTENT xmlelement(name a, ssn) AS text) = '900-12-3456'
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x32', '900-12-3456') RETURNING ssn = '900-12-3456'
;;
UPDATE accounts SET ssn = '900-12-3456' WHERE CURRENT OF c
;;
WITH t AS (DELETE FROM accounts RETURNING *) INSERT INTO accounts SELECT * FROM t
;;
WITH t AS (DELETE FROM accounts RETURNING *) INSERT INTO accounts (account_number, ssn) SELECT account_number || 'x', ssn FROM t
;;
WITH RECURSIVE t(n) AS (VALUES ('900-12-3456') UNION SELECT ssn::text FROM accounts) SELECT * FROM t
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x33', $tag$900-12-3456$tag$)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x34', '900-12-3456' COLLATE "C")
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x35', bytea '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x36', text '900-12-3456'::bytea)
;;
INSERT INTO accounts (account_number, ssn) VALUES ('x37', B'1'), ('x38', '900-12-3456')
;;
SELECT dblink('', 'SELECT ssn FROM accounts')
;;
ANALYZE accounts (ssn)
;;
SELECT * FROM pg_stats WHERE tablename = 'accounts'
;;
VALUES ((SELECT ssn FROM accounts LIMIT 1))
;;
SELECT ssn FROM public.accounts, pg_catalog.pg_class WHERE ssn = '900-12-3456'
;;
INSERT INTO v_accounts (account_number, ssn) VALUES ('x39', '900-12-3456')
;;
UPDATE v_accounts SET ssn = '900-12-3456'
;;
WITH u AS (UPDATE accounts SET ssn = '900-12-3456' RETURNING ssn) SELECT * FROM u
;;
DO $$ BEGIN SET SCHEMA 'pg_catalog'; END $$; INSERT INTO accounts (account_number, ssn) VALUES ('p50', '900-12-3456')
;;
SELECT account_number FROM accounts GROUP BY ROLLUP (account_number, ssn = '900-12-3456')
;;
INSERT INTO accounts (account_number, ssn) SELECT unnest(ARRAY['p51', 'p52']), unnest(ARRAY['900-12-3456', '900-12-3456'])
;;
UPDATE accounts SET ssn = d.s FROM unnest(ARRAY['h1'], ARRAY['900-12-3456']) AS d(id, s) WHERE account_number = d.id
;;
COPY (INSERT INTO accounts (account_number, ssn) VALUES ('p53', '900-12-3456') RETURNING ssn) TO STDOUT
;;
CREATE INDEX ON accounts (account_number) WHERE ssn = '900-12-3456'
;;
DECLARE c CURSOR FOR SELECT name FROM accounts WHERE ssn = '900-12-3456'
