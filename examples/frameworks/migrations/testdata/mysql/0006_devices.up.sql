CREATE TABLE devices (
    id         INT AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT,
    label      VARCHAR(100) COLLATE utf8mb4_bin,
    push_token VARCHAR(200),
    UNIQUE INDEX devices_push (push_token),
    CONSTRAINT devices_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE invitations (
    id          INT AUTO_INCREMENT PRIMARY KEY,
    tenant_id   INT UNSIGNED NOT NULL,
    email       VARCHAR(320) NOT NULL,
    accepted_at DATETIME,
    CONSTRAINT invitations_once UNIQUE KEY (tenant_id, email),
    KEY invitations_open (email, accepted_at),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
