#!/usr/bin/env bash
# The completion of bash against what `edgewise help` and the `--help` of each
# command say: commands, their second words, long options.
set -u
src=${srcdir:-.}
tool=$PWD/ctl/edgewise
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fails=0
check() { # check "what" GOT WANT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "FAIL $1: got '$2', want '$3'"
		fails=$((fails + 1))
	fi
}
. "$src/etc/bash-completion/edgewise" || exit 1
# what the Tab behind these words offers
tab() {
	COMP_WORDS=("$tool" "$@") COMP_CWORD=$# COMPREPLY=()
	_edgewise
	[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort -u
}
line() { tr '\n' ' ' | sed 's/ $//'; }
longs() { grep -oE -- '(^|[^-a-z])--[a-z-]+' | sed 's/^[^-]//' | sort -u; }

help=$("$tool" help) || exit 1
words=$(echo "$help" | sed -n 's/^  \([a-z|]\{1,\}\)\( .*\)\{0,1\}$/\1/p')
commands=$(echo "$words" | tr '|' '\n' | sort -u)
check "help names commands" "$(($(echo "$commands" | wc -l) > 10))" 1
check "every command, and nothing else" "$(tab '' | line)" "$(echo "$commands" | line)"
check "the beginning of one" "$(tab ev)" events
for c in $commands; do
	want=$(echo "$help" | sed -n "s/^  $c \([a-z]*|[a-z|]*\) .*/\1/p" | tr '|' '\n' | sort -u | line)
	[ -z "$want" ] || check "second words of $c" "$(tab "$c" '' | line)" "$want"
done

# Commands on one line of help share what --help says: together they offer it all.
for w in nodes\|drain\|maint\|ready\|weight $words; do
	case $w in
	nodes | drain* | weight | version | help) continue ;;
	esac
	c=${w%%|*}
	"$tool" "$c" --help 2>/dev/null | longs | grep -vx -e --help >"$tmp/said"
	for x in $(echo "$w" | tr '|' ' '); do tab "$x" --; done | sort -u >"$tmp/offered"
	check "every option of $w" "$(grep -vxFf "$tmp/offered" "$tmp/said" | line)" ""
	# these are long names of what --help has in one letter
	check "no other option of $w" "$(grep -vxFf "$tmp/said" "$tmp/offered" |
		grep -vx -e --help -e --url -e --timeout -e --file | line)" ""
	# and the program takes each: it never says that it does not know it;
	# nobody listens where it asks
	for x in $(echo "$w" | tr '|' ' '); do
		case $x in
		user | location) set -- list ;;
		node) set -- leave ;;
		db) set -- status ;;
		drill) set -- report ;;
		ca) set -- show ;;
		key) set -- /nowhere/key ;;
		*) set -- ;;
		esac
		case $x in
		user | ca | check | db | key) ;;
		*) set -- "$@" -u http://127.0.0.1:1 ;;
		esac
		for o in $(tab "$x" -- | grep -vx -e --help -e --watch); do
			timeout 5 "$tool" "$x" "$@" "$o" 2>&1 </dev/null |
				grep -qE "unrecognized option '$o|ambiguous" && echo "$x $o"
		done
	done >"$tmp/unknown"
	check "$w takes what is offered" "$(line <"$tmp/unknown")" ""
done

# whoever talks to a running program, or needs what stands in its settings, takes
# them as -c FILE, and says when they are not there
for x in "status" "events" "trace x" "nodes" "drain n1 --why x" "maint n1 --why x" \
	"ready n1" "weight n1 5" "bans" "ban 192.0.2.1 --why x" "unban 192.0.2.1" \
	"location list" "verify" "node leave" "node remove n1" "node admit n1" \
	"user list" "db status" "drill run $src/etc/drills/by-hand.conf --proxy 192.0.2.1 --domain x --phones-file /dev/null --local 127.0.0.1"; do
	for o in -c --config; do
		said=$(timeout 5 "$tool" $x $o /nowhere/x.conf 2>&1 </dev/null)
		check "$x $o: the file is looked for" "$(($? > 1)) $(echo "$said" |
			grep -c '/nowhere/x.conf')" "1 1"
	done
	for o in --help -h; do
		check "$x $o" "$("$tool" ${x%% *} $o 2>&1 | head -1 | cut -c1-16)" "usage: edgewise "
	done
done

mkdir "$tmp/a dir" && touch "$tmp/a file.conf" && cd "$tmp" || exit 1
check "files, also with blanks" "$(tab check a | line)" "a dir a file.conf"
check "folders alone" "$(tab ca issue x n1 --out a)" "a dir"
check "a file behind -c" "$(tab drain n1 -c "a f")" "a file.conf"
check "free text is not completed" "$(tab drain n1 --why '')" ""
check "the types of check" "$(tab check --type '' | line)" "node sbc"
check "drills by name" "$(tab drill run node-k)" node-kill
check "no nodes where nobody is" "$(tab node remove -u http://127.0.0.1:1 '')" ""
# a program that tells its names; what is no name is not offered
cat >tool <<'X'
#!/bin/sh
echo "$*" >>asked
printf '  "name": "n2",\n    "name": "n1"\n "name": "$(touch bad)",\n "address": "n3",\n'
X
chmod 755 tool
tool=./tool
check "names of nodes" "$(tab drain '' | line)" "n1 n2"
check "the edge was asked" "$(tail -1 asked)" "status --json -t 1 -u http://127.0.0.1:8060"
check "names of members" "$(tab node remove '' | line)" "n1 n2"
check "a node was asked" "$(tail -1 asked)" "status --json -t 1 -u http://127.0.0.1:8061"
check "names at -u, cut by bash" "$(tab node remove -u http : //10.0.0.1 : 99 '' | line)" "n1 n2"
check "that one was asked" "$(tail -1 asked)" "status --json -t 1 -u http://10.0.0.1:99"
check "nothing of an answer is run" "$(ls bad 2>/dev/null)" ""
echo "$fails failed"
[ $fails = 0 ]
