#!/bin/sh
# usage: shipped.sh [--update]
# Shipped settings are exactly the tables' defaults; the manual pages list
# every setting as the tables have it (--update rewrites these lists); manual
# pages and units have no faults a machine can see.
set -u
src=${srcdir:-.}
keys=tests/ctl/keys
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fails=0
n=0

check() { # check "what" COMMAND...
	what=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $what"
	else
		sed 's/^/    /' "$tmp/out"
		echo "FAIL $what"
		fails=$((fails + 1))
	fi
}
not() { ! "$@"; }

# the part between the two marks
part() { sed -n '/^\.\\" settings: begin/,/^\.\\" settings: end/p' "$1" | sed '1d;$d'; }

for t in sbc node; do
	conf=$src/etc/$t.conf
	page=$src/docs/man/edgewise-$t.conf.5
	"$keys" man $t >"$tmp/$t.man" || exit 1
	if [ "${1:-}" = --update ]; then
		awk -v new="$tmp/$t.man" '
		/^\.\\" settings: end/ { while ((getline l < new) > 0) print l; skip = 0 }
		!skip { print }
		/^\.\\" settings: begin/ { skip = 1 }' "$page" >"$tmp/page" &&
			cat "$tmp/page" >"$page"
	fi
	part "$page" >"$tmp/$t.page"
	check "$page lists the settings as the table has them" diff "$tmp/$t.page" "$tmp/$t.man"
	check "$conf is every setting, commented, at its default" "$keys" shipped $t "$conf"
	# each of these must be found
	sed 's/^#log = .*//' "$conf" >"$tmp/less.conf"
	check "a missing setting is seen ($t)" not "$keys" shipped $t "$tmp/less.conf"
	sed 's/t1 = 500/t1 = 501/' "$conf" >"$tmp/other.conf"
	check "another value is seen ($t)" not "$keys" shipped $t "$tmp/other.conf"
	sed 's/^#log = /log = /' "$conf" >"$tmp/live.conf"
	check "a setting that is not commented is seen ($t)" not "$keys" shipped $t "$tmp/live.conf"
done
if command -v mandoc >/dev/null; then
	for p in "$src"/docs/man/*.[1-8]; do
		check "$p: mandoc -T lint" mandoc -T lint -W warning "$p"
	done
fi
echo "$n checks, $fails failed"
[ $fails -eq 0 ]
