#!/bin/sh
# usage: layers.sh SRCDIR BUILDDIR
# The layers base <- sip, dispatcher, cluster, web, db <- sbc, node, drill <- ctl and the
# purity of sources that declare themselves "Pure" in their first lines:
#  1 every source says Pure or Shell; those of pure.txt say Pure
#  2 no #include and no symbol from a folder that is not below
#  3 libre is included by base/re.h alone
#  4 a Pure object uses no symbol but of Pure objects, log_* and libc.txt
set -u
export LC_ALL=C
src=$(cd "${1:-${srcdir:-.}}" && pwd) || exit 1
bld=$(cd "${2:-.}" && pwd) || exit 1
lint=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/bad"
bad() { echo "$*" >>"$tmp/bad"; }

# folders whose headers and symbols a folder may use, itself included
below() {
	case $1 in
	base) echo base ;;
	sip | dispatcher | cluster | db) echo base "$1" ;;
	# what both programs tell of the messages they keep
	web) echo base web sip/trace sip/trace_clean sip/uri sip/uri_cmp sip/flow ;;
	sbc) echo base sip dispatcher web sbc ;;
	node) echo base sip cluster web db node ;;
	drill) echo base sip drill ;;
	# the tool checks files by the programs' own tables and eyes
	ctl) echo base sip web db drill ctl sbc/config node/config node/files node/sqlconf cluster/cert cluster/keyset ;;
	esac
}

kind_of() { # Pure, Shell or nothing
	k=$(head -3 "$1" | grep -owE 'Pure|Shell' | head -1)
	h=${1%.c}.h
	[ -n "$k" ] || [ ! -f "$h" ] || k=$(head -3 "$h" | grep -owE 'Pure|Shell' | head -1)
	echo "$k"
}

must_be_pure() {
	r=1
	while read -r p; do
		case $p in
		'' | '#'*) ;;
		!*) case $1 in ${p#!}) r=1 ;; esac ;;
		*) case $1 in $p) r=0 ;; esac ;;
		esac
	done <"$lint/pure.txt"
	return $r
}

cd "$src" || exit 1
: >"$tmp/pure"
files=0
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	for f in "$d"/*.c "$d"/*.h; do
		[ -f "$f" ] || continue
		files=$((files + 1))
		case $f in
		*.c)
			k=$(kind_of "$f")
			[ -n "$k" ] || bad "$f: says neither Pure nor Shell in its first lines"
			if [ "$k" = Pure ]; then echo "$f" >>"$tmp/pure"
			elif must_be_pure "$f"; then bad "$f: must be Pure (tests/lint/pure.txt)"; fi ;;
		esac
		[ "$f" = base/re.h ] ||
			grep -nE '^[ 	]*#[ 	]*include[ 	]*[<"](re|re_[a-z]*|rem)\.h' "$f" |
			while IFS=: read -r l _; do bad "$f:$l: libre is included by base/re.h alone"; done
		grep -nE '^[ 	]*#[ 	]*include[ 	]*"' "$f" |
		while IFS=: read -r l inc; do
			inc=${inc#*\"}; inc=${inc%%\"*}
			ok=0
			for a in $(below "$d"); do
				case $inc in "$a"/* | "$a".h) ok=1 ;; esac
			done
			[ "$inc" != config.h ] || ok=1
			[ $ok = 1 ] || bad "$f:$l: $d must not include \"$inc\""
		done
	done
done

cd "$bld" || exit 1
grep -vE '^(#|$)' "$lint/libc.txt" >"$tmp/allow"
: >"$tmp/defs"
: >"$tmp/uses"
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	set --
	for o in "$d"/*.o; do	# not what a source that is gone left behind
		[ ! -f "$o" ] || [ ! -f "$src/${o%.o}.c" ] || set -- "$@" "$o"
	done
	[ $# -gt 0 ] || continue
	nm -A -g --defined-only "$@" 2>/dev/null | awk '{ sub(/:.*/, "", $1); print $1, $NF }' >>"$tmp/defs"
	nm -A -u "$@" 2>/dev/null | awk '{ sub(/:.*/, "", $1); print $1, $NF }' >>"$tmp/uses"
done
while read -r f; do
	[ -f "${f%.c}.o" ] || bad "$f: ${f%.c}.o is not built in $bld"
done <"$tmp/pure"
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	echo "$d" $(below "$d")
done >"$tmp/below"
awk -v below="$tmp/below" -v pure="$tmp/pure" -v allow="$tmp/allow" \
	-v defs="$tmp/defs" '
BEGIN {
	while ((getline l < below) > 0) {
		n = split(l, w, " ")
		for (i = 2; i <= n; i++)
			ok[w[1], w[i]] = 1
	}
	while ((getline l < pure) > 0) {
		sub(/\.c$/, ".o", l)
		is_pure[l] = 1
	}
	while ((getline l < allow) > 0)
		re = re (re == "" ? "" : "|") l
	while ((getline l < defs) > 0) {
		split(l, w, " ")
		where[w[2]] = w[1]
	}
}
{
	o = $1; s = $2
	split(o, p, "/")
	if (s in where) {
		stem = where[s]
		split(stem, q, "/")
		sub(/\.o$/, "", stem)
		if (!((p[1], q[1]) in ok) && !((p[1], stem) in ok))
			print o ": " p[1] " must not use " s " of " where[s]
		if ((o in is_pure) && !(where[s] in is_pure) && s !~ /^log_/)
			print o ": Pure, but uses " s " of " where[s]
		if ((o in is_pure) && s ~ /^secret_(random|init)$/)
			print o ": Pure, but uses " s
	}
	# secret_random() lives with its kin; its users are seen above
	else if ((o in is_pure) && s !~ ("^(" re ")$") &&
		 !(o == "base/secret.o" && s == "randombytes_buf"))
		print o ": Pure, but uses " s
}' "$tmp/uses" >>"$tmp/bad"

sort -u "$tmp/bad"
n=$(sort -u "$tmp/bad" | grep -c .)
echo "layers: $files files, $(grep -c . "$tmp/pure") of them Pure, $n violations"
[ "$n" -eq 0 ] && [ "$files" -gt 0 ]
