CREATE UNIQUE INDEX IF NOT EXISTS users_tenant_email ON users (tenant_id, email);
CREATE INDEX users_email_lower_idx ON users (lower(email));
CREATE INDEX IF NOT EXISTS users_name_idx ON public.users USING btree (name varchar_pattern_ops);
