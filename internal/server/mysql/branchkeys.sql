-- Branch keys of sealsql, each wrapped by KMS. Nothing here is secret, but who
-- deletes a row shreds what is sealed under it: back the table up, and let the
-- application's user SELECT only.
CREATE TABLE sealsql_branch_keys (
    branch_key_id     varbinary(255) NOT NULL, -- binary: compared exactly
    type              varbinary(512) NOT NULL,
    version           varbinary(64) NOT NULL,  -- of the active item, else ''
    enc               blob NOT NULL,           -- KMS's ciphertext
    kms_arn           varbinary(2048) NOT NULL,
    create_time       varbinary(40) NOT NULL,  -- text: KMS authenticates it as it stands
    hierarchy_version int NOT NULL,
    context           blob NOT NULL,           -- custom encryption context, JSON
    PRIMARY KEY (branch_key_id, type)
) ENGINE = InnoDB;
