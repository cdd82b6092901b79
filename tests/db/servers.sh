#!/bin/sh
# The tests of db/ again with a PostgreSQL and a MariaDB of their own, besides SQLite:
# in a folder of the test, on ports of 127.0.0.1. One that is not installed is told and
# skipped. Run in the build folder. The last line counts.
set -u
src=$(cd "${srcdir:-.}" && pwd)
prog=tests/db/test_db
[ -x "$prog" ] || { echo "$prog is not built (no SQL, no Criterion)"; exit 77; }
dir=$(mktemp -d) && chmod 755 "$dir" || exit 1
trap 'for s in "$dir"/*/; do "$src/tests/support/sqlserver" kill "$s"; done; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0 skipped=
start() { "$src/tests/support/sqlserver" start "$1" "$dir/$1" >"$dir/$1.url"; echo $? >"$dir/$1.rc"; }
start postgresql &
start mariadb &
wait
for kind in postgresql mariadb; do
	url=$(cat "$dir/$kind.url")
	case $(cat "$dir/$kind.rc") in
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
[ $n != 0 ] || { echo "0 passed, 0 failed, 1 skipped"; exit 77; }
# they share the servers' one database: not at the same time
EW_TEST_SQLSERVER="$src/tests/support/sqlserver" EW_TEST_DIR=$dir timeout -k 5 300 "$prog" -j1 "$@" 2>&1 | tee "$dir/out"
sed 's/\x1b\[[0-9;]*m//g' "$dir/out" | awk -F'[:|]' '
/Synthesis:/ { for (i = 1; i < NF; i++) { if ($i ~ /Passing/) p = $(i + 1); if ($i ~ /Failing|Crashing/) f += $(i + 1) } seen = 1 }
END { if (!seen) f = 1; printf "%d passed, %d failed\n", p, f; exit f > 0 }'
