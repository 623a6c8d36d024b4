CREATE TABLE audit_log (
    id     BIGINT AUTO_INCREMENT PRIMARY KEY,
    at     DATETIME NOT NULL DEFAULT NOW(),
    actor  BIGINT,
    detail JSON NOT NULL
);
CREATE TABLE contacts (
    id      INT AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    kind    VARCHAR(20) NOT NULL,
    value   VARCHAR(100),
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE TABLE tags (name VARCHAR(50) PRIMARY KEY);
CREATE TABLE old_tags LIKE tags;
CREATE TABLE tag_names AS SELECT name FROM tags;
