-- Makes the database, gives it to the role and shuts everybody else out.
\set ON_ERROR_STOP on
\set VERBOSITY terse

\getenv role ROLE_NAME
\getenv database DATABASE_NAME

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec

SELECT format('ALTER DATABASE %I OWNER TO %I', datname, :'role')
FROM pg_database
WHERE datname = :'database' AND pg_get_userbyid(datdba) <> :'role'
\gexec

SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database')
\gexec
