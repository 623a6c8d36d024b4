DROP TABLE notes;
DROP TABLE payments;
