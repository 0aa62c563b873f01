\set ON_ERROR_STOP on
\set VERBOSITY terse

\getenv role ROLE_NAME

SELECT format('GRANT pg_monitor TO %I', :'role')
\gexec
