#!/bin/sh
# usage: examples.sh   (in a build directory; srcdir as automake sets it)
# What we ship for other programs, before the eyes of these: units by
# systemd-analyze, keepalived.conf by keepalived, logrotate's file by logrotate
# (read, then a rotation of our own file). A program that is not there is a
# skip; each check has seen a fault. Nothing is started, nothing is installed.
set -u
src=${srcdir:-.}
PATH=$PATH:/usr/sbin:/sbin
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 fails=0 skips=0

# quiet "what" COMMAND...: it is right when it finds nothing to say
quiet() {
	what=$1
	shift
	n=$((n + 1))
	"$@" >"$tmp/out" 2>&1
	if [ -s "$tmp/out" ]; then
		sed 's/^/    /' "$tmp/out"
		echo "FAIL $what"
		fails=$((fails + 1))
	else
		echo "ok $what"
	fi
}
loud() { # loud "what" TEXT COMMAND...: it says the text
	what=$1 text=$2
	shift 2
	n=$((n + 1))
	"$@" >"$tmp/out" 2>&1
	if grep -q -- "$text" "$tmp/out"; then
		echo "ok $what"
	else
		sed 's/^/    /' "$tmp/out"
		echo "FAIL $what: it is not told"
		fails=$((fails + 1))
	fi
}
there() {
	command -v "$1" >/dev/null && return 0
	echo "skip $2: $1 is not installed"
	skips=$((skips + 1))
	return 1
}

# --- units: the programs are not where they will be installed
units() { systemd-analyze verify --man=no "$1"/*.service; }
if there systemd-analyze "units"; then
	mkdir "$tmp/units" "$tmp/bad"
	for u in etc/systemd/*.service; do
		sed 's#^\(Exec[A-Za-z]*=\)[^ ]*/edgewise-[a-z]*#\1/bin/true#' \
			"$u" >"$tmp/units/${u##*/}"
		sed 's/^Restart=/Restarted=/' "$tmp/units/${u##*/}" \
			>"$tmp/bad/${u##*/}"
	done
	quiet "units" units "$tmp/units"
	loud "an unknown key in a unit" Restarted units "$tmp/bad"
fi

# --- keepalived: reads, ends by SIGTERM to its own process group whatever it
# found (2.2.7), so what it wrote decides, and that it got so far
ka() {
	rm -f "$tmp/ka"
	sh -c 'setsid -w keepalived --config-test="$0" -f "$1"; :' \
		"$tmp/ka" "$1" >/dev/null 2>&1
	cat "$tmp/ka"
}
if there keepalived "keepalived.conf"; then
	dev=$(ip -o link | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p' |
		grep -vx lo | head -1)
	if [ -n "$dev" ] && [ "$(id -u)" = 0 ]; then
		sed "s/interface eth0/interface $dev/" \
			"$src/etc/examples/keepalived.conf" >"$tmp/ka.conf"
		quiet "keepalived.conf" ka "$tmp/ka.conf"
		sed 's/interval 1/intervall 1/' "$tmp/ka.conf" >"$tmp/bad.conf"
		loud "an unknown word in keepalived.conf" intervall \
			ka "$tmp/bad.conf"
		sed 's#192.0.2.1/#192.0.2.300/#' "$tmp/ka.conf" >"$tmp/bad.conf"
		loud "a wrong address in keepalived.conf" 192.0.2.300 \
			ka "$tmp/bad.conf"
	else
		echo "skip keepalived.conf: not root, or no interface but lo"
		skips=$((skips + 1))
	fi
fi

# --- logrotate: our user is not there; each of its words but comments
lr() { # -d says a lot: only what is an error counts
	logrotate -d -s "$tmp/state" "$1" 2>&1 | grep -E '^(error|warning: [^l])'
}
if there logrotate "edgewise.logrotate"; then
	me="$(id -un) $(id -gn)"
	mkdir -m 755 "$tmp/log"
	sed -e "s#/var/log/edgewise-sbc#$tmp/log#" \
		-e "s/edgewise edgewise\$/$me/" \
		-e "s#systemctl kill .*#touch $tmp/told#" \
		"$src/etc/examples/edgewise.logrotate" >"$tmp/lr.conf"
	chmod 644 "$tmp/lr.conf"
	quiet "edgewise.logrotate" lr "$tmp/lr.conf"
	sed 's/daily/dayly/' "$tmp/lr.conf" >"$tmp/bad.conf"
	loud "an unknown word in edgewise.logrotate" dayly lr "$tmp/bad.conf"
	echo one >"$tmp/log/calls.jsonl"
	quiet "a rotation" logrotate -f -s "$tmp/state" "$tmp/lr.conf"
	quiet "the old file is kept, a new one is there, the edge is told" \
		sh -c 'cd "$0" && test "$(cat log/calls.jsonl.1)" = one &&
		test "$(stat -c %a-%s log/calls.jsonl)" = 640-0 &&
		test -f told || ls -l log told' "$tmp"
	loud "it is the example that tells the edge" \
		'systemctl kill -s HUP edgewise-sbc.service' \
		cat "$src/etc/examples/edgewise.logrotate"
fi
echo "$n checks, $fails failed, $skips skipped"
[ $fails -eq 0 ]
