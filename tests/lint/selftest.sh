#!/bin/sh
# The lint tests must be able to fail: each violation is planted in a small
# tree of its own and has to be named.
set -u
export LC_ALL=C
lint=$(cd "${srcdir:-.}/tests/lint" && pwd) || exit 1
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fails=0
n=0

fresh() {
	rm -rf "$tmp/t"
	mkdir -p "$tmp/t/base" "$tmp/t/sip" "$tmp/t/sbc" "$tmp/t/cluster"
	cd "$tmp/t" || exit 1
	printf '/* sl.c - Pure. */\n#include <string.h>\nint sl_n(const char *s);\nint sl_n(const char *s) { return (int)strlen(s); }\n' >base/sl.c
	printf '/* net.c - Shell. */\nint net_x(void);\nint net_x(void) { return 1; }\n' >base/net.c
	printf '/* scan.c - Pure. */\nint sl_n(const char *s);\nint scan_x(void);\nint scan_x(void) { return sl_n("a"); }\n' >sip/scan.c
}

build() {
	for f in */*.c; do
		$CC -O0 -I. -c -o "${f%.c}.o" "$f" || exit 1
	done
}

# expect "what" "text it must print" COMMAND...; empty text: must pass
expect() {
	what=$1 text=$2
	shift 2
	n=$((n + 1))
	out=$("$@" 2>&1)
	rc=$?
	if [ -z "$text" ]; then
		[ $rc -eq 0 ] && { echo "ok $what"; return; }
	elif [ $rc -ne 0 ] && echo "$out" | grep -qF -- "$text"; then
		echo "ok $what"
		return
	fi
	echo "FAIL $what: status $rc, wanted '$text', got:"
	echo "$out" | sed 's/^/    /'
	fails=$((fails + 1))
}

layers() { expect "$1" "$2" "$lint/layers.sh" "$tmp/t" "$tmp/t"; }

fresh; build
layers "a clean tree passes" ""
fresh
printf '#include <time.h>\nint sl_t(void);\nint sl_t(void) { struct timespec t; return clock_gettime(CLOCK_REALTIME, &t); }\n' >>base/sl.c
build
layers "a clock in a Pure file" "base/sl.o: Pure, but uses clock_gettime"
fresh
printf '#include <sys/socket.h>\nint scan_s(void);\nint scan_s(void) { return socket(1, 2, 3); }\n' >>sip/scan.c
build
layers "a socket in a Pure file" "sip/scan.o: Pure, but uses socket"
fresh
printf 'int net_x(void);\nint scan_n(void);\nint scan_n(void) { return net_x(); }\n' >>sip/scan.c
build
layers "a Shell function in a Pure file" "sip/scan.o: Pure, but uses net_x of base/net.o"
fresh
printf 'int scan_x(void);\nint net_y(void);\nint net_y(void) { return scan_x(); }\n' >>base/net.c
build
layers "a symbol from above" "base must not use scan_x of sip/scan.o"
fresh
printf '#include "sip/scan.h"\n' >>base/net.c
: >sip/scan.h
build
layers "an include from above" 'base must not include "sip/scan.h"'
fresh
printf '/* Pure. */\n#include "cluster/store.h"\n' >sip/b.c
: >cluster/store.h
build
layers "an include from beside" 'sip must not include "cluster/store.h"'
fresh
printf '/* Shell. */\n#include <re.h>\n' >sbc/x.c
: >re.h
build
layers "libre outside of base/re.h" "sbc/x.c:2: libre is included by base/re.h alone"
fresh
printf 'int sbc_x;\n' >sbc/y.c
build
layers "a file that says nothing" "sbc/y.c: says neither Pure nor Shell"
fresh
sed 's/Pure/Shell/' sip/scan.c >x && mv x sip/scan.c
build
layers "a Pure file renamed Shell" "sip/scan.c: must be Pure"
fresh; build
rm base/sl.o
layers "an object that is missing" "base/sl.o is not built"

fresh
expect "short functions pass" "" "$lint/fnlen.sh" "$tmp/t"
{ printf 'int long_one(int x)\n{\n'; for i in $(seq 80); do printf '\tx++;\n'; done; printf '}\n'; } >base/l.c
expect "80 lines pass" "" "$lint/fnlen.sh" "$tmp/t"
{ printf 'static int *long_one(int x)\n{\n'; for i in $(seq 81); do printf '\tx++;\n'; done; printf '}\n'; } >base/l.c
expect "81 lines do not" "base/l.c:2: long_one() has 81 lines, allowed: 80" "$lint/fnlen.sh" "$tmp/t"
seq 601 | sed 's/.*/\/\/ &/' >base/l.c
expect "a file of 601 lines" "base/l.c: 601 lines, allowed: 600" "$lint/fnlen.sh" "$tmp/t"
rm -rf "$tmp/t"/*
expect "no files at all" "no files" "$lint/fnlen.sh" "$tmp/t"

echo "$n planted, $fails not found"
[ $fails -eq 0 ]
