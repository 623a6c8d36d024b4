-- +goose Up
CREATE TABLE IF NOT EXISTS repos (
 repo_id          SERIAL PRIMARY KEY
,repo_uid         VARCHAR(250)
,repo_user_id     INTEGER
,repo_namespace   VARCHAR(250)
,repo_name        VARCHAR(250)
,repo_slug        VARCHAR(250)
,repo_counter     INTEGER
,repo_active      BOOLEAN
,repo_version     INTEGER
,repo_signer      VARCHAR(50)
,repo_secret      VARCHAR(50)
,UNIQUE(repo_slug)
,UNIQUE(repo_uid)
);
CREATE TABLE IF NOT EXISTS perms (
 perm_user_id  INTEGER
,perm_repo_uid VARCHAR(250)
,perm_read     BOOLEAN
,perm_write    BOOLEAN
,perm_admin    BOOLEAN
,perm_synced   INTEGER
,PRIMARY KEY(perm_user_id, perm_repo_uid)
,FOREIGN KEY(perm_user_id) REFERENCES users(user_id) ON DELETE CASCADE
);
CREATE INDEX ix_perms_user ON perms (perm_user_id);

-- +goose Down
DROP TABLE perms;
DROP TABLE repos;
