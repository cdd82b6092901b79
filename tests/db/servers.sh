#!/bin/sh
# The tests of db/ again with a PostgreSQL and a MariaDB of their own, besides SQLite:
# in a folder of the test, on ports of 127.0.0.1. One that is not installed is told and
# skipped. Run in the build folder.
set -u
src=$(cd "${srcdir:-.}" && pwd)
prog=tests/db/test_db
[ -x "$prog" ] || { echo "$prog is not built (no SQL, no Criterion)"; exit 77; }
dir=$(mktemp -d) && chmod 755 "$dir" || exit 1
trap 'for s in "$dir"/*/; do "$src/tests/support/sqlserver" kill "$s"; done; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0 skipped=
for kind in postgresql mariadb; do
	url=$("$src/tests/support/sqlserver" start $kind "$dir/$kind") && rc=0 || rc=$?
	case $rc in
	0) ;;
	77) skipped="$skipped $kind"; continue ;;
	*) echo "FAIL $kind does not start"; exit 1 ;;
	esac
	n=$((n + 1))
	case $kind in
	postgresql) export EW_TEST_POSTGRESQL="$url" ;;
	mariadb) export EW_TEST_MYSQL="$url" ;;
	esac
done
[ -z "$skipped" ] || echo "SKIPPED: not installed:$skipped"
[ $n != 0 ] || exit 77
# they share the servers' one database: not at the same time
EW_TEST_SQLSERVER="$src/tests/support/sqlserver" EW_TEST_DIR=$dir timeout -k 5 200 "$prog" -j1 "$@"
