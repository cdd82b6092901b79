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

cd "$src" || exit 1
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	echo "$d" $(below "$d")
done >"$tmp/below"
set --
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	for f in "$d"/*.c "$d"/*.h; do
		[ ! -f "$f" ] || set -- "$@" "$f"
	done
done
files=$#
: >"$tmp/pure"
# one process for all files: a machine that starts them slowly took minutes
[ $files = 0 ] || awk -v below="$tmp/below" -v must="$lint/pure.txt" -v pure="$tmp/pure" '
# a pattern of the shell, of which pure.txt uses * and ? alone
function matches(name, glob) {
	gsub(/[.+(){}|^$\\]/, "\\\\&", glob)
	gsub(/\*/, ".*", glob)
	gsub(/\?/, ".", glob)
	return name ~ ("^" glob "$")
}
function must_be_pure(name,   i, r) {
	for (i = 1; i <= pats; i++) {
		if (pat[i] ~ /^!/ && matches(name, substr(pat[i], 2)))
			r = 0
		else if (pat[i] !~ /^!/ && matches(name, pat[i]))
			r = 1
	}
	return r
}
function may(dir, inc,   i, n, w) {
	if (inc == "config.h")
		return 1
	n = split(ok[dir], w, " ")
	for (i = 2; i <= n; i++)
		if (index(inc, w[i] "/") == 1 || inc == w[i] ".h")
			return 1
	return 0
}
function judge(f,   h, k) {
	h = f
	sub(/\.c$/, ".h", h)
	k = f in kind ? kind[f] : kind[h]
	if (k == "")
		print f ": says neither Pure nor Shell in its first lines"
	if (k == "Pure")
		print f >pure
	else if (must_be_pure(f))
		print f ": must be Pure (tests/lint/pure.txt)"
}
BEGIN {
	while ((getline l < below) > 0) {
		split(l, w, " ")
		ok[w[1]] = l
	}
	while ((getline l < must) > 0)
		if (l !~ /^(#|$)/)
			pat[++pats] = l
}
FNR == 1 { f = FILENAME; dir = f; sub(/\/.*/, "", dir); if (f ~ /\.c$/) src[++srcs] = f }
FNR <= 3 && !(f in kind) {
	l = " " $0 " "
	if (match(l, /[^A-Za-z0-9_](Pure|Shell)[^A-Za-z0-9_]/))
		kind[f] = substr(l, RSTART + 1, RLENGTH - 2)
}
/^[ \t]*#[ \t]*include[ \t]*[<"](re|re_[a-z]*|rem)\.h/ && f != "base/re.h" {
	print f ":" FNR ": libre is included by base/re.h alone"
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	inc = $0
	sub(/^[^"]*"/, "", inc)
	sub(/".*/, "", inc)
	if (!may(dir, inc))
		print f ":" FNR ": " dir " must not include \"" inc "\""
}
END { for (i = 1; i <= srcs; i++) judge(src[i]) }' "$@" >>"$tmp/bad"

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
