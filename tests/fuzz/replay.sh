#!/bin/sh
# Give every stored input to its fuzz target, once. Each folder corpus/X needs
# a program fuzz_X and the other way round; an empty folder is a failure.
set -u
here=${srcdir:-.}/tests/fuzz
bin=tests/fuzz
bad=0
n=0
for src in "$here"/fuzz_*.c; do
	x=$(basename "$src" .c)
	[ -d "$here/corpus/${x#fuzz_}" ] ||
		{ echo "FAIL $x: no folder corpus/${x#fuzz_}"; bad=$((bad + 1)); }
done
for dir in "$here"/corpus/*/; do
	x=$(basename "$dir")
	files=$(find "$dir" -type f | wc -l)
	if [ "$files" -eq 0 ]; then
		echo "FAIL fuzz_$x: no inputs in $dir"
		bad=$((bad + 1))
	elif out=$("$bin/fuzz_$x" -runs=0 "$dir" 2>&1); then
		echo "ok fuzz_$x: $files inputs"
		n=$((n + files))
	else
		echo "$out" | tail -40
		echo "FAIL fuzz_$x"
		bad=$((bad + 1))
	fi
done
# Steps of a hostile peer among two honest nodes, by chance; libFuzzer has its own way.
if grep -q 'inputs replayed' "$bin/fuzz_peer"; then
	if out=$("$bin/fuzz_peer" "-random=${PEER_RUNS:-3000}" "-seed=${PEER_SEED:-1}" 2>&1); then
		echo "ok fuzz_peer: $(echo "$out" | tail -1)"
	else
		echo "$out" | tail -5
		echo "FAIL fuzz_peer, random inputs"
		bad=$((bad + 1))
	fi
fi
echo "$n inputs replayed, $bad targets failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 0 ]
