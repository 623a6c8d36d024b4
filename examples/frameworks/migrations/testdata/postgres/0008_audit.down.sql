DROP TABLE tag_names, old_tags;
DROP TABLE tags;
DROP TABLE contacts, audit_log;
