CREATE TABLE payments (
    id      BIGINT AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    iban    VARCHAR(34) NOT NULL,
    amount  DECIMAL(12,2) NOT NULL,
    paid_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (user_id) REFERENCES users (id),
    CHECK (iban IS NOT NULL)
);
CREATE TABLE notes (
    id      BIGINT AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    title   TEXT NOT NULL,
    body    MEDIUMTEXT NOT NULL,
    FULLTEXT KEY notes_body (body)
) CHARACTER SET utf8mb4;
CREATE INDEX payments_by_user ON payments (user_id, iban);
