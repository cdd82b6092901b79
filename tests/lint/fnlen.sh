#!/bin/sh
# usage: fnlen.sh SRCDIR
# Functions of at most 80 lines, files of at most 600.
set -u
export LC_ALL=C
cd "${1:-${srcdir:-.}}" || exit 1
set --
for d in base sip dispatcher cluster web db sbc node drill ctl; do
	for f in "$d"/*.c "$d"/*.h; do
		[ ! -f "$f" ] || set -- "$@" "$f"
	done
done
[ $# -gt 0 ] || { echo "fnlen: no files"; exit 1; }
awk '
function closed() {
	if (lines > 600) {
		print file ": " lines " lines, allowed: 600"
		bad++
	}
	files++
}
FNR == 1 { if (file != "") closed(); file = FILENAME; start = 0; head = "" }
{ lines = FNR }
/^[A-Za-z_].*\(/ { head = $0 }
/^{/ { start = FNR }
/^}/ {
	if (start && FNR - start - 1 > 80) {
		sub(/\(.*/, "", head)
		sub(/.*[ *]/, "", head)
		print file ":" start ": " head "() has " FNR - start - 1 " lines, allowed: 80"
		bad++
	}
	if (start)
		fns++
	start = 0
}
END {
	closed()
	print "fnlen: " files " files, " fns " functions, " bad + 0 " too long"
	exit bad > 0
}' "$@"
