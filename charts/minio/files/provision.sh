#!/bin/sh
# Creates the buckets, policies and users that the files in PLAN_DIR list. Safe to repeat.
# Credentials come from files and reach mc by its standard input, so no argument list shows them.
set -eu

: "${ENDPOINT:?}" "${WAIT_SECONDS:?}" "${PLAN_DIR:?}" "${CREDENTIALS_DIR:?}"

rule_id=mlops-expire

# read_file NAME: its first line in $content. A file of a Secret often has no newline at its end, and read then fails.
read_file() {
	content=
	IFS= read -r content <"$1" || [ -n "$content" ] || {
		echo "error: $1 is empty" >&2
		return 1
	}
}

# The pair on standard output, the way mc reads it.
key_pair() {
	read_file "$1/access-key"
	printf '%s\n' "$content"
	read_file "$1/secret-key"
	printf '%s\n' "$content"
}

wait_for_server() {
	waited=0
	until error=$(mc ls local 2>&1 >/dev/null); do
		if [ "$waited" -ge "$WAIT_SECONDS" ]; then
			echo "error: $ENDPOINT gave no list of buckets in $WAIT_SECONDS s: $error" >&2
			return 1
		fi
		echo "waiting for $ENDPOINT: $error"
		sleep 3
		waited=$((waited + 3))
	done
}

create_bucket() {
	mc mb --ignore-existing "local/$1"
	if [ "$2" = true ]; then
		mc version enable "local/$1"
	fi
	if [ "$3" -gt 0 ]; then
		mc ilm rule import "local/$1" <"$PLAN_DIR/lifecycle-$1.json"
		return
	fi
	# A bucket without rules makes the export fail; there is nothing to remove then.
	case $(mc ilm rule export "local/$1" 2>/dev/null || true) in
	*\"$rule_id\"*) mc ilm rule remove --id "$rule_id" "local/$1" ;;
	esac
}

# An existing user gets the secret key of its Secret.
create_user() {
	mc admin policy create local "$2" "$PLAN_DIR/policy-$1.json"
	key_pair "$CREDENTIALS_DIR/users/$1" | mc admin user add local
	read_file "$CREDENTIALS_DIR/users/$1/access-key"
	mc admin policy attach local "$2" --user "$content"
}

key_pair "$CREDENTIALS_DIR/root" | mc --quiet alias set local "$ENDPOINT" --api S3v4 --path on >/dev/null
wait_for_server

# File descriptor 3, since mc reads standard input.
while read -r name versioning expire_days <&3; do
	create_bucket "$name" "$versioning" "$expire_days"
done 3<"$PLAN_DIR/buckets"

while read -r index policy <&3; do
	create_user "$index" "$policy"
done 3<"$PLAN_DIR/users"

echo "provisioning done"
