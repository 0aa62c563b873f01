-- Makes the role, or gives an existing one the password of its Secret.
\set ON_ERROR_STOP on
-- Errors would show the statement, and with it the password, on the client and in the server's log.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SET log_duration = off;
SET password_encryption = 'scram-sha-256';

\getenv role ROLE_NAME
\getenv password ROLE_PASSWORD

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec

SELECT format('ALTER ROLE %I WITH LOGIN PASSWORD %L', :'role', :'password')
\gexec
