CREATE INDEX contacts_value ON contacts (value(20)) ALGORITHM=INPLACE LOCK=NONE;
