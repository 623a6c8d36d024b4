DROP TABLE one_time_tokens;
DROP TABLE mfa_factors;
DROP TABLE identities;
