# Driver: the null forwarder, bench/null.c: sockets and nothing else. For `call`
# only. `make bench/null` builds it. Compare: bench/pair null edgewise call 5
EDGEWISE_BUILD=${EDGEWISE_BUILD:-$(cd "$BENCH_DIR/.." && pwd)/build}
NULL=$EDGEWISE_BUILD/bench/null
SYS_NO_PROBE=1                 # it cannot tell one caller from another
sys_version() { echo "null forwarder"; }
sys_settings() { echo "core=tcp"; }
_null() { # who args...
	local who=$1; shift
	( exec setsid "$NULL" "$@" ) >"$BENCH_TMP/null-$who.log" 2>&1 </dev/null 9>&- &
	echo $! >"$BENCH_TMP/$SYSTEM-$who.pid"; disown
}
sys_stop() { # also the sink
	local w p
	for w in edge $NODES sink; do
		p=$(tree "$(sys_master $w)") && [ -n "$p" ] && kill -9 $p 2>/dev/null
		rm -f "$BENCH_TMP/$SYSTEM-$w.pid"
	done
	return 0
}
sys_start() {
	local n i
	[ -x "$NULL" ] || { log "no $NULL: make bench/null"; return 1; }
	for n in $NODES; do _null $n node "$(node_ip $n):$NODE_PORT"; done
	_null sink sink $UAC_IP:9
	sleep 0.3
	_null edge edge $EDGE_IP:$EDGE_PORT $UAC_IP:$UAC_PORT $UAS_IP:$UAS_PORT $UAC_IP:9 \
		$(for n in $NODES; do echo "$(node_ip $n):$NODE_PORT"; done)
	for i in $(seq 50); do grep -q ready "$BENCH_TMP/null-edge.log" && return 0; sleep 0.1; done
	return 1
}
