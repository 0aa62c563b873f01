#!/bin/sh
# Entry point of the PostgreSQL image, with the part of the official image's contract that the chart uses: arguments that begin
# with a dash are the server's; the first start on an empty PGDATA makes the database with POSTGRES_USER, POSTGRES_PASSWORD (or
# POSTGRES_PASSWORD_FILE), POSTGRES_DB and POSTGRES_INITDB_ARGS, and runs /docker-entrypoint-initdb.d/*.{sh,sql} over the socket.
set -eu

case ${1:-} in
'' | -*) set -- postgres "$@" ;;
postgres) ;;
*) exec "$@" ;;
esac

: "${PGDATA:?}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_INITDB_ARGS:=}"

run_sql() {
	psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$@"
}

initialize() {
	if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
		IFS= read -r POSTGRES_PASSWORD <"$POSTGRES_PASSWORD_FILE" || [ -n "$POSTGRES_PASSWORD" ]
	fi
	if [ -z "${POSTGRES_PASSWORD:-}" ]; then
		echo "error: POSTGRES_PASSWORD is empty: a new database needs the password of its superuser" >&2
		exit 1
	fi
	password=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
	# shellcheck disable=SC2086 # several arguments in one variable, as in the official image
	initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$password" $POSTGRES_INITDB_ARGS
	rm -f "$password"
	printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"

	# Without TCP, so that nobody takes it for the real one.
	PGUSER=$POSTGRES_USER pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses=''" start
	if [ "$POSTGRES_DB" != postgres ]; then
		printf 'CREATE DATABASE :"name";\n' | run_sql postgres --set "name=$POSTGRES_DB"
	fi
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh) sh "$file" ;;
		*.sql) run_sql "$POSTGRES_DB" --file "$file" ;;
		esac
	done
	pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
}

umask 077
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	mkdir -p "$PGDATA"
	# The pod's group may come with the folder, and the server refuses that.
	chmod 700 "$PGDATA"
	initialize
fi
unset POSTGRES_PASSWORD
shift
exec postgres -c listen_addresses='*' "$@"
