DROP INDEX contacts_value ON contacts;
