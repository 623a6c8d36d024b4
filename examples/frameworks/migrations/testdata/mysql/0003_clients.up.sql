CREATE TABLE clients (
    id            VARCHAR(100) PRIMARY KEY,
    name          VARCHAR(255) NOT NULL,
    secret        VARCHAR(256) NOT NULL DEFAULT '',
    redirect_uris TEXT NOT NULL
);
CREATE TABLE `grants` (
    id        INT AUTO_INCREMENT,
    client_id VARCHAR(100) NOT NULL,
    user_id   BIGINT NOT NULL,
    code      VARCHAR(190) NOT NULL,
    payload   JSON,
    PRIMARY KEY (id),
    CONSTRAINT grants_code_key UNIQUE (code),
    FOREIGN KEY (client_id) REFERENCES clients (id),
    FOREIGN KEY (user_id) REFERENCES users (id)
);
