# Steps of scripts/check side by side; sourced by it. Each is a process of its
# own, `check --step NAME`, in a session of its own. What it printed is shown
# when it ends, so that the lines of one step stay together. Lanes:
#   work    computes: WORK at a time, none beside `time`
#   time    waits and measures time: one at a time, nothing beside it
#   alone   measures the machine: after all others, nothing beside it
# Set before: OUT, TOP, PLAN (lines `step lane what it needs`), WORK.
declare -A LANE=() NEEDS=() TODO=() PID=() SINCE=() BUSY=([work]=0 [time]=0 [alone]=0)
while read -r s l n; do
	[ -z "$s" ] || { LANE[$s]=$l NEEDS[$s]=$n; }
done <<<"$PLAN"

# the processes of a session
of_session() { cat /proc/[0-9]*/stat 2>/dev/null | sed -nE "s/^([0-9]+) \(.*\) [A-Z] [0-9]+ [0-9]+ $1 .*/\1/p"; }
end_steps() {
	local s sig
	for sig in TERM KILL; do
		for s in "${!PID[@]}"; do kill -$sig $(of_session "${PID[$s]}") 2>/dev/null; done
		[ $sig = KILL ] || [ ${#PID[@]} = 0 ] || sleep 2
	done
}
may_start() {
	local n
	for n in ${NEEDS[$1]}; do [ -z "${TODO[$n]:-}${PID[$n]:-}" ] || return 1; done
	[ "${BUSY[alone]}" = 0 ] || return 1
	case ${LANE[$1]} in
	work) [ "${BUSY[time]}" = 0 ] && [ "${BUSY[work]}" -lt "$WORK" ] ;;
	time) [ $((${BUSY[work]} + ${BUSY[time]})) = 0 ] && ! todo work ;;
	alone)
		[ ${#PID[@]} = 0 ] || return 1
		for n in "${!TODO[@]}"; do [ "${LANE[$n]}" = alone ] || return 1; done ;;
	esac
}
todo() { # lane: a step of it waits
	local n
	for n in "${!TODO[@]}"; do [ "${LANE[$n]}" != "$1" ] || return 0; done
	return 1
}
start_step() {
	rm -f "$OUT/steps/$1.count"
	# 8 is the lock: what a killed check leaves must not keep it
	setsid "$TOP/scripts/check" --step "$1" >"$OUT/steps/$1.out" 2>&1 </dev/null 8>&- &
	PID[$1]=$! SINCE[$1]=$EPOCHSECONDS
	BUSY[${LANE[$1]}]=$((${BUSY[${LANE[$1]}]} + 1))
	unset "TODO[$1]"
}
# What the step came to is added to the counts.
step_ended() {
	local p f s rc=0
	wait "${PID[$1]}" || rc=$?
	unset "PID[$1]"
	BUSY[${LANE[$1]}]=$((${BUSY[${LANE[$1]}]} - 1))
	cat "$OUT/steps/$1.out"
	if read -r p f s <"$OUT/steps/$1.count"; then
		PASSED=$((PASSED + p)); FAILED=$((FAILED + f)); SKIPPED=$((SKIPPED + s))
		FAULTS="$FAULTS$(sed '1s/.*//' "$OUT/steps/$1.count")"
	else
		failed 1 "$1: ended with status $rc before its end ($OUT/steps/$1.out)"
	fi 2>/dev/null
}
# A sign of life: what runs, and for how long.
beat() {
	local s line= now
	now=$EPOCHSECONDS
	for s in $STEPS; do
		[ -z "${PID[$s]:-}" ] || line="$line${line:+, }$s $((now - SINCE[$s])) s"
	done
	if [ -t 1 ]; then
		line="  ... $line"
		printf '\r%-78.78s' "$line"
	elif [ "$now" -ge "$NEXT_BEAT" ]; then
		say "  ... $line"
		NEXT_BEAT=$((now + 30))
	fi
}
run_steps() { # steps, the first that may begins first
	local s
	mkdir -p "$OUT/steps"
	NEXT_BEAT=$((EPOCHSECONDS + 10))
	for s; do TODO[$s]=1; done
	trap end_steps EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	while [ $((${#TODO[@]} + ${#PID[@]})) -gt 0 ]; do
		for s; do
			[ -z "${TODO[$s]:-}" ] || ! may_start "$s" || start_step "$s"
		done
		sleep 0.5
		for s in "${!PID[@]}"; do
			kill -0 "${PID[$s]}" 2>/dev/null || { [ ! -t 1 ] || printf '\r%78s\r' ''; step_ended "$s"; }
		done
		beat
	done
	trap - EXIT INT TERM HUP
}
