-- Two roles, none of which may use the other's database, or create anything else; and one that reads the ledger, for
-- metrics. It may log in once it has a password: ALTER ROLE kogge_metrics PASSWORD '...'.
\getenv ledger_password LEDGER_PASSWORD
\getenv prefect_password PREFECT_PASSWORD
CREATE ROLE kogge LOGIN PASSWORD :'ledger_password';
CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE kogge OWNER kogge;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT, TEMPORARY ON DATABASE kogge, prefect, postgres, template1 FROM PUBLIC;
CREATE ROLE kogge_metrics LOGIN;
GRANT CONNECT ON DATABASE kogge TO kogge_metrics;
\connect kogge
ALTER DEFAULT PRIVILEGES FOR ROLE kogge GRANT SELECT ON TABLES TO kogge_metrics;
