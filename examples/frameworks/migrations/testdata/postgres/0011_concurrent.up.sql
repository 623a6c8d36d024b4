CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_value ON contacts (value);
