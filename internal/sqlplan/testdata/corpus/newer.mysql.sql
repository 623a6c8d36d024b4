CREATE TABLE computed (id int PRIMARY KEY, name varchar(100), shout varchar(100) GENERATED ALWAYS AS (upper(name)) VIRTUAL, twice int GENERATED ALWAYS AS (id * 2) STORED, ssn {string});
CREATE TABLE shy (id int PRIMARY KEY, name varchar(100), tier int DEFAULT 1 INVISIBLE, ssn {string} INVISIBLE);
-- servers: mysql
SET SESSION sql_generate_invisible_primary_key = ON; CREATE TABLE keyless (name varchar(100), ssn {string}); SET SESSION sql_generate_invisible_primary_key = OFF;
-- servers: mysql
CREATE TABLE indexed (id int PRIMARY KEY, name varchar(100), ssn {string}, UNIQUE INDEX ((lower(name))), INDEX ((id + 1)));
CREATE TABLE expressed (id varchar(40) PRIMARY KEY DEFAULT (hex(1)), made date DEFAULT (date '2026-01-01' + INTERVAL 1 DAY), name varchar(100) DEFAULT (concat('n', 1)), ssn {string});
-- servers: mysql
CREATE TABLE quoted (id varchar(40) PRIMARY KEY DEFAULT (concat('e', 1 + 1)), name varchar(100), ssn {string});
-- servers: mysql
CREATE TABLE unreadable (id varchar(40) PRIMARY KEY DEFAULT (concat('it''s', 1)), name varchar(100), ssn {string});
INSERT INTO computed (id, name, ssn) VALUES (1, 'c1', '909-01-0001'), (2, 'c2', '909-01-0002'), (3, NULL, NULL);
INSERT INTO shy (id, name, ssn) VALUES (1, 's1', '909-02-0001'), (2, 's2', '909-02-0002');
-- servers: mysql
INSERT INTO keyless (my_row_id, name, ssn) VALUES (1, 'k1', '909-03-0001'), (2, 'k2', '909-03-0002');
-- servers: mysql
INSERT INTO indexed (id, name, ssn) VALUES (1, 'I1', '909-04-0001'), (2, 'I2', '909-04-0002');
INSERT INTO expressed (id, made, name, ssn) VALUES ('x1', '2026-01-01', 'e1', '909-05-0001');
CREATE TABLE bins (id binary(16) PRIMARY KEY, name varchar(100), ssn {string});
CREATE TABLE stamps (at datetime(6) PRIMARY KEY, name varchar(100), ssn {string});
INSERT INTO bins (id, name, ssn) VALUES (x'6CCD780CBABA102695645B8C656024DB', 'b1', '909-06-0001');
