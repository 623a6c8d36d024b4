-- Branch keys of sealsql, each wrapped by KMS. Nothing here is secret, but who
-- deletes a row shreds what is sealed under it: back the table up, and let the
-- application's role SELECT only.
CREATE TABLE sealsql_branch_keys (
    branch_key_id     varchar(255) COLLATE "C" NOT NULL,
    type              varchar(512) COLLATE "C" NOT NULL,
    version           varchar(64) NOT NULL,   -- of the active item, else ''
    enc               bytea NOT NULL,         -- KMS's ciphertext
    kms_arn           varchar(2048) NOT NULL,
    create_time       varchar(40) NOT NULL,   -- text: KMS authenticates it as it stands
    hierarchy_version integer NOT NULL,
    context           text NOT NULL,          -- custom encryption context, JSON
    PRIMARY KEY (branch_key_id, type)
);
