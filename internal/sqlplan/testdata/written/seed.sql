INSERT INTO contacts (id, tenant_id, name, email, phone, ssn) VALUES (1, 1, 'Ada', 'ada@leak.example', '901-11-0001', '911-00-0001'), (2, 1, 'Ben', 'ben@leak.example', '901-11-0002', NULL), (3, 2, 'Cleo', NULL, '901-11-0001', '911-00-0003'), (4, 2, 'Dan', 'dan@leak.example', NULL, NULL), (5, 2, 'Eve', '', '901-11-0005', '');
INSERT INTO serials (id, name, email, ssn) VALUES (1, 'Ada', 'ada@leak.example', '911-00-0001'), (2, 'Ben', 'ben@leak.example', NULL), (3, 'Cleo', NULL, '911-00-0003');
INSERT INTO codes (code, token, name) VALUES ('921-00-0001', 'secret one', 'a'), ('921-00-0002', NULL, 'b'), ('921-00-0003', 'secret three', 'c');
INSERT INTO slots (room, code, pin, name) VALUES (1, '922-00-0001', '923-00-0001', 'a'), (1, '922-00-0002', NULL, 'b'), (2, '922-00-0001', '923-00-0003', 'c');
INSERT INTO other (id, person_id, name) VALUES (1, 1, 'Ada'), (2, 2, 'x'), (3, 3, 'Cleo'), (4, NULL, NULL);
