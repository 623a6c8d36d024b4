ALTER TABLE users ALTER COLUMN email TYPE character varying(512);
ALTER TABLE users ALTER COLUMN email SET NOT NULL;
ALTER TABLE sessions ALTER COLUMN token SET DATA TYPE text;
ALTER TABLE clients ALTER secret DROP DEFAULT;
ALTER TABLE payments ADD CONSTRAINT payments_iban_amount UNIQUE (user_id, iban);
