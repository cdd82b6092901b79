# Shared by the scripts of this folder: messages, steps with progress, Debian
# packages, the build. Source it with TOP (the tree) and LOGS (a folder) set.

# What the programs need, and what only the tests need.
PKG_BUILD="gcc make autoconf automake pkg-config libc6-dev libre-dev
libconfig-dev libcurl4-openssl-dev libssl-dev libsodium-dev libjansson-dev
libzdb-dev python3"
PKG_TEST="chromium libcriterion-dev sip-tester baresip-core iproute2 nftables mandoc clang
libclang-rt-dev ccache xz-utils git kamailio kamailio-sqlite-modules kamailio-mysql-modules
kamailio-postgres-modules prometheus linphone-cli
postgresql mariadb-server sqlite3 valgrind keepalived logrotate openssl"

now_s() { date +%s; }
say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# step LOG "what" COMMAND...: runs it with its output in $LOGS/LOG.log. Prints
# how long it took, and what of the processors; while it runs, a sign of life
# (not with STEP_QUIET=1). Returns its status.
step() {
	local log=$LOGS/$1.log what=$2 t0 pid rc=0 s beat=10
	shift 2
	mkdir -p "$LOGS"
	t0=$(now_s)
	# 8 is the caller's lock, if any: what runs must not keep it
	( "$@"; r=$?; times >"$log.times"; exit $r ) >"$log" 2>&1 </dev/null 8>&- &
	pid=$!
	if [ "${STEP_QUIET:-0}" = 1 ]; then
		:
	elif [ -t 1 ]; then
		while kill -0 $pid 2>/dev/null; do
			printf '\r  %-56s %4d s ' "$what" $(($(now_s) - t0))
			sleep 0.5
		done
		printf '\r'
	else
		while kill -0 $pid 2>/dev/null; do
			sleep 0.2
			s=$(($(now_s) - t0))
			[ $s -lt $beat ] || { printf '  %-56s %4d s ...\n' "$what" $s; beat=$((beat + 30)); }
		done
	fi
	wait $pid || rc=$?
	s=ok
	[ $rc = 0 ] || s="FAILED (status $rc)"
	printf '  %-56s %4d s %5d s CPU  %s\n' "$what" $(($(now_s) - t0)) "$(cpu_s "$log.times")" "$s"
	return $rc
}
# of the children, from what `times` wrote: 1m2.345s 0m3.456s in its second line
cpu_s() { awk -F'[ms ]+' 'NR == 2 {t = $1 * 60 + $2 + $3 * 60 + $4} END {printf "%d", t + 0.5}' "$1" 2>/dev/null || echo 0; }
# The end of a step's log, for the person whose step just failed.
tail_log() { sed 's/^/    | /' "$LOGS/$1.log" | tail -n "${2:-15}"; say "    whole log: $LOGS/$1.log"; }

have_pkg() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
# The name of a package in this release: libclang-rt-dev is libclang-rt-14-dev in Debian 12.
pkg_here() {
	local v
	case $1 in
	libclang-rt-dev)
		v=$(clang --version 2>/dev/null | sed -n 's/.*clang version \([0-9]*\).*/\1/p')
		[ -n "$v" ] || v=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1)
		echo "libclang-rt-${v:-14}-dev" ;;
	*) echo "$1" ;;
	esac
}
# Daemons among them (kamailio, prometheus, databases) are installed and not started: tests start
# their own.
POLICY=/usr/sbin/policy-rc.d
apt_install() {
	local sudo= rc=0 ours=0
	[ "$(id -u)" = 0 ] || sudo="sudo"
	$sudo apt-get update -qq || return 1
	if [ ! -e $POLICY ]; then
		ours=1
		printf '#!/bin/sh\nexit 101\n' | $sudo tee $POLICY >/dev/null && $sudo chmod 755 $POLICY || return 1
	fi
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || rc=$?
	[ $ours = 0 ] || $sudo rm -f $POLICY
	return $rc
}
# need_packages "why" LIST...: installs what is missing, says what and why.
# With NO_INSTALL=1 it only tells, and fails.
need_packages() {
	local why=$1 p miss=
	shift
	if ! command -v dpkg-query >/dev/null; then
		[ "${NO_INSTALL:-0}" = 1 ] && return 0   # configure will tell
		die "this is no Debian system. Install the equivalents of: $*
then run again with --no-install"
	fi
	for p in "$@"; do
		have_pkg "$(pkg_here "$p")" || miss="$miss $p"
	done
	[ -n "$miss" ] || return 0
	say "Missing Debian packages ($why):$miss"
	[ "${NO_INSTALL:-0}" = 0 ] || { say "Not installed, because of --no-install. By hand:"; say "  apt-get install$miss"; return 1; }
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { say "Installing needs root: run as root, or install sudo, or by hand: apt-get install$miss"; return 1; }
		say "Installing needs root: sudo may ask for your password."
		sudo -v || return 1
	fi
	case " $miss " in *' libclang-rt-dev '*) miss="${miss/libclang-rt-dev/}"; RT=1 ;; *) RT=0 ;; esac
	step apt "installing them with apt-get" apt_install $miss || { tail_log apt; return 1; }
	# its name follows the clang that apt just chose
	[ $RT = 0 ] || step apt-rt "installing clang's sanitizer run time" apt_install "$(pkg_here libclang-rt-dev)" ||
		{ tail_log apt-rt; return 1; }
}

# configure and the Makefile templates, when something they are made of is newer.
regenerate() {
	local f
	cd "$TOP" || return 1
	if [ -x configure ] && [ -f Makefile.in ]; then
		for f in configure.ac Makefile.am */local.mk tests/*/local.mk; do
			[ "$f" -nt Makefile.in ] && break
			f=
		done
		[ -n "$f" ] || return 0
	fi
	autoreconf -fi
}
# configure_in DIR OPTIONS...: only when it was not, or differently, configured.
configure_in() {
	local d=$1 want
	shift
	mkdir -p "$d" && cd "$d" || return 1
	want="$*"
	[ -f config.status ] && [ "$(cat .configured 2>/dev/null)" = "$want" ] &&
		[ config.status -nt "$TOP/configure" ] && return 0
	rm -f .configured
	"$TOP/configure" -q "$@" && echo "$want" >.configured
}
