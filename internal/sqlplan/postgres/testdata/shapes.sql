SELECT 1, 'x', name AS n, name::text FROM accounts AS a WHERE name = 'x' GROUP BY name HAVING count(*) > 1 ORDER BY name LIMIT 1 OFFSET 1
;;
SELECT DISTINCT ON (name) name FROM accounts ORDER BY name DESC NULLS FIRST
;;
SELECT name FROM accounts GROUP BY GROUPING SETS ((name), (1)), ROLLUP (name), CUBE (name)
;;
SELECT sum(1 ORDER BY name) FILTER (WHERE 1 = 1) OVER (PARTITION BY name ORDER BY name ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM accounts
;;
SELECT sum(1) OVER w FROM accounts WINDOW w AS (PARTITION BY name ORDER BY name RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING)
;;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY name) FROM accounts
;;
SELECT f(VARIADIC ARRAY[1, 2]), g(x => 1), h(DISTINCT 1) FROM accounts
;;
SELECT CASE name WHEN 'x' THEN 1 WHEN 'y' THEN 2 ELSE 3 END, CASE WHEN 1 = 1 THEN 2 END FROM accounts
;;
SELECT COALESCE(name, 'x'), GREATEST(1, 2), LEAST(1, 2), NULLIF(1, 2) FROM accounts
;;
SELECT (ARRAY[1, 2])[1], (ARRAY[1, 2])[1:2], ARRAY(SELECT 1), ROW(1, 2), (1, 2) FROM accounts
;;
SELECT CAST(1 AS text), 1::numeric(10, 2), text 'x', interval '1 day' FROM accounts
;;
SELECT 1 IS NULL, 1 IS NOT NULL, true IS TRUE, true IS UNKNOWN, 1 IS DISTINCT FROM 2, NOT true FROM accounts
;;
SELECT 1 BETWEEN 1 AND 2, 1 NOT BETWEEN SYMMETRIC 1 AND 2, 1 IN (1, 2), 'x' LIKE 'y' ESCAPE 'z', 'x' ILIKE 'y', 'x' SIMILAR TO 'y', 'x' ~ 'y' FROM accounts
;;
SELECT 1 = ANY (ARRAY[1]), 1 < ALL (SELECT 2), 1 IN (SELECT 2), (1, 2) = (SELECT 1, 2), 1 OPERATOR(pg_catalog.+) 2, - 1, 'x' COLLATE "C", now() AT TIME ZONE 'UTC' FROM accounts
;;
SELECT extract(year FROM now()), substring('x' FROM 1 FOR 2), position('x' IN 'y'), overlay('x' PLACING 'y' FROM 1 FOR 2), trim(BOTH 'x' FROM 'y'), normalize('x', NFC) FROM accounts
;;
SELECT GROUPING(name), (1, 2) OVERLAPS (3, 4), current_date, (name).x, (f(1)).y, (f(1)).* FROM accounts GROUP BY name
;;
SELECT xmlelement(name a, xmlattributes(1 AS b), 'x'), xmlforest(1 AS a), xmlpi(name a, 'x'), xmlroot('x', version '1'), xmlserialize(CONTENT 'x' AS text), xmlparse(DOCUMENT 'x'), xmlexists('x' PASSING 'y'), 'x' IS DOCUMENT FROM accounts
;;
SELECT json_object('a': 1 ABSENT ON NULL), json_array(1, 2), json_array(SELECT 1), json_objectagg('a': 1), json_arrayagg(1 ORDER BY 2), 'x' IS JSON OBJECT FROM accounts
;;
SELECT json_query('{}', '$' PASSING 1 AS x RETURNING text DEFAULT 'x' ON EMPTY DEFAULT 'y' ON ERROR), json_value('{}', '$' DEFAULT 1 ON EMPTY), json_exists('{}', '$' PASSING 1 AS x), json('x'), json_scalar(1), json_serialize('x') FROM accounts
;;
SELECT * FROM accounts a JOIN other o ON a.account_number = o.account_number LEFT JOIN other p USING (account_number) WHERE 1 = 1
;;
SELECT * FROM other o, LATERAL (SELECT 1) x, f(1, 'x') WITH ORDINALITY AS g(a, b), ROWS FROM (f(1), g(2)) AS h, (VALUES (1, 2), (3, 4)) v(a, b), unnest(ARRAY[1]) u
;;
SELECT * FROM f(1) AS t(a int, b varchar(20))
;;
SELECT * FROM other TABLESAMPLE BERNOULLI (1) REPEATABLE (2)
;;
SELECT * FROM JSON_TABLE('[]', '$[*]' AS p PASSING 1 AS x COLUMNS (a int PATH '$' DEFAULT 1 ON EMPTY DEFAULT 2 ON ERROR, b FOR ORDINALITY, NESTED PATH '$' COLUMNS (c int EXISTS PATH '$' ERROR ON ERROR)) ERROR ON ERROR) j
;;
SELECT * FROM XMLTABLE(XMLNAMESPACES('x' AS y), '/x' PASSING 'z' COLUMNS a int PATH 'a' DEFAULT 1 NOT NULL, b FOR ORDINALITY) t
;;
SELECT name FROM accounts FOR UPDATE OF accounts NOWAIT
;;
SELECT name FROM accounts FETCH FIRST 1 ROWS WITH TIES
;;
SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT (SELECT 4 LIMIT 1) ORDER BY 1 LIMIT 2
;;
SELECT 1 INTO TEMP x FROM other
;;
VALUES (1, 2), (3, 4) ORDER BY 1 LIMIT 1
;;
TABLE other
;;
WITH RECURSIVE r (a, b) AS MATERIALIZED (SELECT 1, 2 UNION ALL SELECT 3, 4 FROM r WHERE 1 = 1) SEARCH DEPTH FIRST BY a SET s CYCLE a SET c TO 1 DEFAULT 0 USING p SELECT * FROM r
;;
WITH i AS (INSERT INTO other (id) VALUES (1) RETURNING id + 1), u AS (UPDATE other SET id = 1 WHERE id = 2 RETURNING 3), d AS (DELETE FROM other WHERE id = 1 RETURNING 4) SELECT * FROM i, u, d
;;
INSERT INTO other AS o (id, account_number) VALUES (1, 'x'), (2, DEFAULT) ON CONFLICT (id, (1 + 1)) WHERE 1 = 1 DO UPDATE SET id = 1, (account_number, id) = ('x', 1) WHERE o.id = 1 RETURNING id, 'x' AS y
;;
INSERT INTO other (id[1], account_number.x) SELECT 1, 2 FROM other WHERE id = 1
;;
INSERT INTO accounts (account_number, name) VALUES ('k', 'x') ON CONFLICT (account_number) DO UPDATE SET name = 'y' RETURNING name
;;
INSERT INTO other SELECT * FROM other ON CONFLICT ON CONSTRAINT c DO NOTHING
;;
INSERT INTO other DEFAULT VALUES RETURNING 1
;;
UPDATE other AS o SET id = 1, account_number[1] = 'x', (id, account_number) = (1, 'x'), (id, account_number) = (SELECT 1, 'x') FROM other p, (SELECT 1) q WHERE o.id = 1 RETURNING WITH (OLD AS a, NEW AS b) a.id, 1
;;
UPDATE accounts SET name = 'x' WHERE account_number = 'k' RETURNING old.name, new.name || 'x'
;;
UPDATE other SET id = 1 WHERE CURRENT OF c
;;
DELETE FROM other o USING other p, accounts a WHERE o.id = 1 AND a.name = 'x' RETURNING 1
;;
MERGE INTO other o USING (SELECT 1 AS x) s ON o.id = s.x WHEN MATCHED AND 1 = 1 THEN UPDATE SET id = 1 WHEN NOT MATCHED BY SOURCE AND 1 = 1 THEN DELETE WHEN NOT MATCHED AND 2 = 2 THEN INSERT (id, account_number) OVERRIDING SYSTEM VALUE VALUES (1, 'x') RETURNING merge_action(), 1
;;
MERGE INTO accounts a USING other s ON a.account_number = s.account_number WHEN MATCHED AND 1 = 1 THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT (account_number, name) VALUES ('k', 'x')
;;
COPY other (id) FROM 'file' WITH (FORMAT csv, NULL 'x') WHERE id = 1
;;
COPY (SELECT 1) TO STDOUT
;;
COPY accounts (account_number, name) FROM STDIN WHERE name = 'x'
;;
EXPLAIN (ANALYZE, BUFFERS) SELECT 1 FROM other WHERE 1 = 1
;;
CREATE TABLE t (a int DEFAULT 1 CHECK (a > 1), b int GENERATED ALWAYS AS (1 + 1) STORED, c varchar(20) COLLATE "C" NOT NULL, d int GENERATED BY DEFAULT AS IDENTITY (START 1), CHECK (1 = 1), EXCLUDE USING gist (a WITH =) WHERE (1 = 1), UNIQUE (a), FOREIGN KEY (a) REFERENCES other (id)) PARTITION BY RANGE (a, (b + 1)) WITH (fillfactor = 10)
;;
CREATE TABLE t PARTITION OF other (id DEFAULT 1, CHECK (1 = 1)) FOR VALUES FROM (1, MINVALUE) TO (2, MAXVALUE)
;;
CREATE TABLE t PARTITION OF other FOR VALUES IN (1, 'x')
;;
CREATE TABLE t (CHECK (1 = 1)) INHERITS (other)
;;
CREATE TABLE t (LIKE other INCLUDING ALL, CHECK (1 = 1))
;;
CREATE TABLE t OF y (a WITH OPTIONS DEFAULT 1)
;;
CREATE TABLE t AS SELECT 1 FROM other WHERE 1 = 1 WITH NO DATA
;;
CREATE MATERIALIZED VIEW v AS SELECT 1 WHERE 1 = 1
;;
CREATE VIEW v (a) WITH (security_barrier = true) AS SELECT 1 WHERE 1 = 1 WITH CHECK OPTION
;;
CREATE INDEX i ON other USING btree (id, (1 + 1) COLLATE "C" DESC) INCLUDE (account_number) WITH (fillfactor = 1) WHERE 1 = 1
;;
CREATE TRIGGER g BEFORE UPDATE OF id ON other FOR EACH ROW WHEN (1 = 1) EXECUTE FUNCTION f('x', 1)
;;
CREATE RULE r AS ON INSERT TO other WHERE 1 = 1 DO ALSO (UPDATE other SET id = 1; SELECT 1)
;;
CREATE POLICY p ON other FOR ALL TO public USING (1 = 1) WITH CHECK (2 = 2)
;;
ALTER POLICY p ON other USING (1 = 1) WITH CHECK (2 = 2)
;;
CREATE STATISTICS s ON (1 + 1), id FROM other
;;
CREATE PUBLICATION p FOR TABLE other (id) WHERE (1 = 1)
;;
ALTER PUBLICATION p SET TABLE other WHERE (id = 1)
;;
CREATE FUNCTION f(a int DEFAULT 1, OUT b int) RETURNS int LANGUAGE sql RETURN 1 + 1
;;
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; INSERT INTO other VALUES (1); END
;;
CREATE FUNCTION f() RETURNS int LANGUAGE sql COST 1 SET x = 'y' AS 'SELECT 1'
;;
CREATE PROCEDURE f(a int DEFAULT 1) LANGUAGE sql AS 'SELECT 1'
;;
CREATE DOMAIN d AS text COLLATE "C" DEFAULT 'x' CHECK (VALUE <> 'y')
;;
ALTER DOMAIN d ADD CHECK (VALUE <> 'y')
;;
ALTER DOMAIN d SET DEFAULT 'x'
;;
CREATE AGGREGATE a (int) (sfunc = f, stype = int, initcond = '1')
;;
CREATE SCHEMA s CREATE TABLE t (a int DEFAULT 1) CREATE VIEW v AS SELECT 1 CREATE INDEX i ON t (a) WHERE 1 = 1 GRANT SELECT ON v TO public
;;
CREATE FOREIGN TABLE t (a int OPTIONS (x 'y') DEFAULT 1) SERVER s OPTIONS (a 'b')
;;
CREATE EVENT TRIGGER e ON ddl_command_start WHEN TAG IN ('x') EXECUTE FUNCTION f()
;;
CREATE TYPE t AS (a int)
;;
CREATE TYPE t AS ENUM ('a', 'b')
;;
CREATE TYPE t AS RANGE (subtype = int)
;;
CREATE SEQUENCE s START 1 INCREMENT 2
;;
ALTER SEQUENCE s RESTART 1
;;
ALTER TABLE other ADD COLUMN a int DEFAULT 1 CHECK (1 = 1), ALTER COLUMN id SET DEFAULT 1, ALTER COLUMN id TYPE text USING id + 1, ALTER COLUMN id SET EXPRESSION AS (1 + 1), ADD CONSTRAINT c CHECK (1 = 1), ALTER COLUMN id SET STATISTICS 1, ALTER COLUMN id SET (n_distinct = 1), ADD UNIQUE (id)
;;
ALTER TABLE other ATTACH PARTITION t FOR VALUES FROM (1) TO (2)
;;
ALTER TABLE accounts ALTER COLUMN name SET DEFAULT 'x', ADD CHECK (1 = 1)
;;
ALTER VIEW v ALTER COLUMN a SET DEFAULT 1
;;
ALTER FOREIGN TABLE t ALTER COLUMN a SET DEFAULT 1
;;
ALTER ROLE r SET x = 'y'
;;
ALTER SYSTEM SET x = 'y'
;;
ALTER TYPE t ADD VALUE 'x' BEFORE 'y'
;;
SET x = 'y', 1
;;
SET LOCAL x TO 1
;;
SELECT set_config('x', 'y', true)
;;
CALL f(1, x => 2)
;;
EXECUTE p (1, 'x')
;;
PREPARE p (int, varchar(20)) AS SELECT 1 FROM other WHERE 1 = 1
;;
DECLARE c CURSOR FOR SELECT 1 FROM other WHERE 1 = 1
;;
FETCH 1 FROM c
;;
NOTIFY x, 'y'
;;
LISTEN x
;;
COMMENT ON TABLE other IS 'x'
;;
SECURITY LABEL ON TABLE other IS 'x'
;;
DO 'BEGIN PERFORM 1; END'
;;
GRANT SELECT (id) ON other TO public
;;
VACUUM (ANALYZE) other (id)
;;
ANALYZE other (id)
;;
REINDEX TABLE other
;;
CLUSTER other USING i
;;
LOCK TABLE other IN SHARE MODE
;;
TRUNCATE other RESTART IDENTITY
;;
REFRESH MATERIALIZED VIEW v
;;
IMPORT FOREIGN SCHEMA s LIMIT TO (a) FROM SERVER x INTO y
;;
CREATE TABLESPACE t LOCATION 'x'
;;
CREATE DATABASE d TEMPLATE 'x'
;;
CREATE USER MAPPING FOR u SERVER s OPTIONS (a 'b')
;;
CREATE OPERATOR + (leftarg = int, rightarg = int, function = f)
;;
CREATE CAST (int AS text) WITH FUNCTION f(int)
;;
CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p
