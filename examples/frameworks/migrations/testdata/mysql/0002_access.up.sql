CREATE TABLE credentials (
    id      CHAR(36) PRIMARY KEY,
    user_id BIGINT NOT NULL,
    kind    ENUM('password', 'totp') NOT NULL,
    secret  VARBINARY(255) NOT NULL,
    UNIQUE KEY (user_id, kind),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE sessions (
    id         BIGINT AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id),
    token      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    expires_at TIMESTAMP NULL DEFAULT NULL,
    INDEX sessions_expiry (expires_at)
);
