RENAME TABLE tags TO labels;
ALTER TABLE labels CHANGE name label VARCHAR(60);
ALTER TABLE contacts CHANGE kind channel VARCHAR(30) NOT NULL;
ALTER TABLE contacts MODIFY COLUMN value VARCHAR(200);
ALTER TABLE contacts CHANGE COLUMN `value` `value` VARCHAR(200) NOT NULL DEFAULT '' COMMENT 'a number or an address';
