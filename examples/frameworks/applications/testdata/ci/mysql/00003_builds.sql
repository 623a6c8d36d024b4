-- +goose Up
CREATE TABLE IF NOT EXISTS builds (
 build_id           INTEGER PRIMARY KEY AUTO_INCREMENT
,build_repo_id      INTEGER
,build_trigger      VARCHAR(250)
,build_number       INTEGER
,build_parent       INTEGER
,build_status       VARCHAR(50)
,build_error        VARCHAR(500) DEFAULT 'none'
,build_event        VARCHAR(50)
,build_ref          VARCHAR(500)
,build_target       VARCHAR(500)
,build_author       VARCHAR(250)
,build_author_email VARCHAR(500)
,build_params       VARCHAR(2000)
,build_started      INTEGER
,build_finished     INTEGER
,build_created      INTEGER
,build_version      INTEGER
,UNIQUE(build_repo_id, build_number)
,FOREIGN KEY(build_repo_id) REFERENCES repos(repo_id) ON DELETE CASCADE
);
CREATE INDEX ix_build_repo ON builds (build_repo_id);
CREATE INDEX ix_build_author ON builds (build_author);
CREATE INDEX ix_build_author_email ON builds (build_author_email);
CREATE TABLE IF NOT EXISTS logs (
 log_id   INTEGER PRIMARY KEY
,log_data MEDIUMBLOB
);
CREATE TABLE IF NOT EXISTS latest (
 latest_repo_id INTEGER
,latest_type    VARCHAR(50)
,latest_name    VARCHAR(150)
,latest_build   INTEGER
,latest_updated INTEGER
,PRIMARY KEY(latest_repo_id, latest_type, latest_name)
);

-- +goose Down
DROP TABLE latest;
DROP TABLE logs;
DROP TABLE builds;
