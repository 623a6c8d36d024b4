INSERT INTO items (id, name, ssn) VALUES (1, 'i1', '915-00-0001'), (2, 'i2', NULL);
