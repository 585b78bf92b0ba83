#!/usr/bin/env bash
# Runs once, when a database is made: the role that services, relay and Debezium use. It owns the database, so it can make
# tables and publications, and may replicate; it is no superuser.
set -euo pipefail
export SHOP_PASSWORD_FILE
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat "$SHOP_PASSWORD_FILE"`
CREATE ROLE shop LOGIN REPLICATION PASSWORD :'password';
SELECT format('ALTER DATABASE %I OWNER TO shop', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SQL
