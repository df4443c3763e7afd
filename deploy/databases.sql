-- Two roles, none of which may use the other's database, or create anything else.
\getenv ledger_password LEDGER_PASSWORD
\getenv prefect_password PREFECT_PASSWORD
CREATE ROLE kogge LOGIN PASSWORD :'ledger_password';
CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE kogge OWNER kogge;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT, TEMPORARY ON DATABASE kogge, prefect, postgres, template1 FROM PUBLIC;
