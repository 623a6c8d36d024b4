DROP INDEX IF EXISTS users_name_idx;
DROP INDEX public.users_email_lower_idx;
DROP INDEX users_tenant_email;
