-- +goose Up
CREATE TABLE IF NOT EXISTS secrets (
 secret_id                INTEGER PRIMARY KEY AUTO_INCREMENT
,secret_repo_id           INTEGER
,secret_name              VARCHAR(150)
,secret_data              MEDIUMBLOB
,secret_pull_request      BOOLEAN
,secret_pull_request_push BOOLEAN
,UNIQUE(secret_repo_id, secret_name)
,FOREIGN KEY(secret_repo_id) REFERENCES repos(repo_id) ON DELETE CASCADE
);
CREATE INDEX ix_secret_repo ON secrets (secret_repo_id);
CREATE TABLE IF NOT EXISTS orgsecrets (
 secret_namespace VARCHAR(50)
,secret_name      VARCHAR(150)
,secret_type      VARCHAR(50)
,secret_data      MEDIUMBLOB
,PRIMARY KEY(secret_namespace, secret_name)
);

-- +goose Down
DROP TABLE orgsecrets;
DROP TABLE secrets;
