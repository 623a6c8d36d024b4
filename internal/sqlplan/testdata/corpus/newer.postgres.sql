-- servers: postgres>=18
CREATE EXTENSION btree_gist;
-- servers: postgres>=18
CREATE TABLE bookings (id int PRIMARY KEY, room int, during daterange, guest text, ssn {string}, UNIQUE (room, during WITHOUT OVERLAPS));
-- servers: postgres>=18
CREATE TABLE stays (id int PRIMARY KEY, room int, during daterange, FOREIGN KEY (room, PERIOD during) REFERENCES bookings (room, PERIOD during));
-- servers: postgres>=18
CREATE TABLE tariffs (room int, valid daterange, price int, code {string}, PRIMARY KEY (room, valid WITHOUT OVERLAPS));
-- servers: postgres>=18
CREATE TABLE computed (id int PRIMARY KEY, name text, shout text GENERATED ALWAYS AS (upper(name)) VIRTUAL, ssn {string});
-- servers: postgres>=18
INSERT INTO bookings (id, room, during, guest, ssn) VALUES (1, 7, '[2026-01-01,2026-02-01)', 'g1', '909-00-0001'), (2, 7, '[2026-02-01,2026-03-01)', 'g2', '909-00-0002'), (3, 8, '[2026-01-01,2026-02-01)', 'g3', NULL);
-- servers: postgres>=18
INSERT INTO stays (id, room, during) VALUES (1, 7, '[2026-01-10,2026-02-10)');
-- servers: postgres>=18
INSERT INTO computed (id, name, ssn) VALUES (1, 'c1', '909-01-0001'), (2, 'c2', '909-01-0002'), (3, NULL, NULL);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE spans (span int4range PRIMARY KEY, name text, ssn {string});
CREATE TABLE coded (uid varchar(20) NOT NULL UNIQUE, id text PRIMARY KEY GENERATED ALWAYS AS (upper(uid) || COALESCE(grade, 0)::text) STORED, grade numeric(6,2), name text DEFAULT 'none', ssn {string});
CREATE TABLE moods (mood mood PRIMARY KEY, name text, ssn {string});
CREATE TABLE stamps (at timestamptz PRIMARY KEY, name text, ssn {string});
INSERT INTO moods (mood, name, ssn) VALUES ('sad', 'm1', '909-07-0001'), ('happy', 'm2', '909-07-0002');
INSERT INTO spans (span, name, ssn) VALUES ('[1,5)', 's1', '912-08-0001'), ('empty', 's2', '912-08-0002');
INSERT INTO coded (uid, grade, ssn) VALUES ('k1', 1.5, '912-09-0001'), ('k2', NULL, '912-09-0002');
