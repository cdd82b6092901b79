# Driver: Kamailio (Debian package).
KAM=${KAM:-kamailio}
KAM_MODS=${KAM_MODS:-}
if [ "$PROFILE" = tuned ]; then KAM_FR=1000; KAM_UA=5000; KAM_PING=1; else KAM_FR=30000; KAM_UA=30000; KAM_PING=10; fi
sys_version() { $KAM -v | head -1; }
_kam() {  # name, shm MB, args...
	local name=$1 shm=$2; shift 2
	local t=(); [ "$PROFILE" = tuned ] && t=(-A TUNED -x fm -X fm)   # fm: allocator without debug checks
	local wrap=; [ "$name" = edge ] && wrap=${EDGE_WRAP:-}   # bench/instructions: callgrind
	( exec setsid $wrap $KAM -DD -E -m "$shm" -M 16 ${KAM_MODS:+-L "$KAM_MODS"} -w "$BENCH_TMP" -Y "$BENCH_TMP" \
		-P "$BENCH_TMP/kam-$name.pidfile" \
		-A "FR_MS=$KAM_FR" -A "FR_UA_MS=$KAM_UA" -A "RPCSOCK=\"unix:$BENCH_TMP/kam-$name.ctl\"" \
		"${t[@]}" "$@" ) >"$BENCH_TMP/kam-$name.log" 2>&1 </dev/null 9>&- &
	echo $! >"$BENCH_TMP/$SYSTEM-$name.pid"; disown
}
sys_start_node() {
	local n=$1 o=() r=() k
	for k in $NODES; do [ $k = $n ] || o+=("sip:$(node_ip $k):$NODE_PORT"); done
	[ "$NODE_RR" = 1 ] && r=(-A NODE_RR)
	_kam $n 1024 -f "$BENCH_DIR/systems/kamailio-node.cfg" -A "NODE_IP=$(node_ip $n)" -A "NODE_PORT=$NODE_PORT" \
		-A "WORKERS=$NODE_WORKERS" -A "DMQ_ME=\"sip:$(node_ip $n):$NODE_PORT\"" \
		-A "DMQ_A=\"${o[0]}\"" -A "DMQ_B=\"${o[1]}\"" "${r[@]}"
}
sys_start() {
	local n
	: >"$BENCH_TMP/kam-ds.list"
	for n in $NODES; do echo "1 sip:$(node_ip $n):$NODE_PORT" >>"$BENCH_TMP/kam-ds.list"; done
	for n in $NODES; do sys_start_node $n; sleep 1; done
	_kam edge 512 -f "$BENCH_DIR/systems/kamailio-edge.cfg" -A "EDGE_IP=$EDGE_IP" -A "EDGE_PORT=$EDGE_PORT" \
		-A "WORKERS=$EDGE_WORKERS" -A "PING=$KAM_PING" -A "DSLIST=\"$BENCH_TMP/kam-ds.list\""
	sleep 4
}
_kamrpc() { local n=$1; shift; timeout 5 kamcmd -s "unix:$BENCH_TMP/kam-$n.ctl" "$@" 2>/dev/null; }
sys_contacts() { _kamrpc $1 stats.get_statistics usrloc: | awk '/location.contacts/{print $NF; exit}'; }
sys_mem_kb() { _kamrpc $1 core.shmmem k | awk '/real_used/{print $2; exit}'; }
sys_settings() { echo "profile=$PROFILE edge_workers=$EDGE_WORKERS node_workers=$NODE_WORKERS fr_node=${KAM_FR}ms fr_ua=${KAM_UA}ms ping=${KAM_PING}s node_rr=$NODE_RR dmq_workers=2 sync batches 50/msg 5000/200ms, shm+pkg allocator $([ "$PROFILE" = tuned ] && echo fm || echo default)"; }
sys_node_calls() { _kamrpc $1 stats.get_statistics all | awk '/core:rcv_requests_invite /{print $NF; exit}'; }
sys_peers() { _kamrpc $1 dmq.list_nodes | awk '/status:/{a=($2=="active")} /local: 0/{n+=a} END{print n+0}'; }
