#!/bin/sh
# Creates the roles and databases that the files in PLAN_DIR list. Safe to repeat.
# Passwords come from files and reach psql by its environment, so no argument list shows them.
set -eu

: "${PGHOST:?}" "${WAIT_SECONDS:?}" "${PLAN_DIR:?}" "${CREDENTIALS_DIR:?}"

export PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=5

# read_file NAME: its first line in $content. A file of a Secret often has no newline at its end, and read then fails.
read_file() {
	content=
	IFS= read -r content <"$1" || [ -n "$content" ] || {
		echo "error: $1 is empty" >&2
		return 1
	}
}

read_role() {
	read_file "$1/username"
	ROLE_NAME=$content
	read_file "$1/password"
	ROLE_PASSWORD=$content
	export ROLE_NAME ROLE_PASSWORD
}

run_sql() {
	psql --no-psqlrc --quiet --tuples-only --no-password --file="$PLAN_DIR/$1"
}

wait_for_server() {
	waited=0
	until pg_isready --quiet --timeout=3; do
		if [ "$waited" -ge "$WAIT_SECONDS" ]; then
			echo "error: no PostgreSQL at $PGHOST in $WAIT_SECONDS s" >&2
			return 1
		fi
		echo "waiting for PostgreSQL at $PGHOST"
		sleep 3
		waited=$((waited + 3))
	done
}

read_file "$CREDENTIALS_DIR/superuser/password"
export PGPASSWORD="$content"
wait_for_server

# File descriptor 3, since psql reads standard input.
while read -r index DATABASE_NAME <&3; do
	export DATABASE_NAME
	read_role "$CREDENTIALS_DIR/owners/$index"
	run_sql role.sql
	run_sql database.sql
	echo "database $DATABASE_NAME belongs to role $ROLE_NAME"
done 3<"$PLAN_DIR/databases"

if [ -d "$CREDENTIALS_DIR/monitor" ]; then
	read_role "$CREDENTIALS_DIR/monitor"
	run_sql role.sql
	run_sql monitor.sql
	echo "role $ROLE_NAME may read statistics"
fi

echo "provisioning done"
