# Driver: OpenSIPS, built from source outside this tree; OPENSIPS_DIR names that build.
: "${OPENSIPS_DIR:?set OPENSIPS_DIR to a built OpenSIPS tree}"
OSIPS=${OSIPS:-$OPENSIPS_DIR/opensips}
if [ "$PROFILE" = tuned ]; then OS_FR=1; OS_UA=5; OS_PING=1; else OS_FR=5; OS_UA=5; OS_PING=10; fi
# tuned: the allocator without debug checks (this build defaults to Q_MALLOC_DBG)
OS_MEM=; [ "$PROFILE" = tuned ] && OS_MEM="-a F_MALLOC"
sys_version() { $OSIPS -V | head -1; }
# The build tree keeps one folder per module; gather the objects in one.
_os_mods() {
	[ -d "$BENCH_TMP/os-mods" ] && return
	mkdir -p "$BENCH_TMP/os-mods"
	ln -sf "$OPENSIPS_DIR"/modules/*/*.so "$BENCH_TMP/os-mods/"
}
_os() {  # name, shm MB
	setsid "$OSIPS" -F ${OS_MEM} -m "$2" -M 16 -w "$BENCH_TMP" -f "$BENCH_TMP/os-$1.cfg" >"$BENCH_TMP/os-$1.log" 2>&1 </dev/null 9>&- &
	echo $! >"$BENCH_TMP/$SYSTEM-$1.pid"; disown
}
sys_start_node() {
	local n=$1 o=() k seed= tune= rr=
	_os_mods
	for k in $NODES; do [ $k = $n ] || o+=("$k"); done
	[ "$NODE_RR" = 1 ] && rr='if (is_method("INVITE")) record_route();'
	[ $n = 1 ] && seed=", flags=seed"
	# tuned: notice a dead peer and re-join sooner than the defaults (4 s / 60 s)
	[ "$PROFILE" = tuned ] && [ "${OS_CLUSTER_TUNE:-1}" = 1 ] && tune='modparam("clusterer", "ping_interval", 1)\nmodparam("clusterer", "node_timeout", 2)'
	sed -e "s|@WORKERS@|$NODE_WORKERS|;s|@NODE_IP@|$(node_ip $n)|;s|@NODE_PORT@|$NODE_PORT|;s|@MPATH@|$BENCH_TMP/os-mods/|" \
		-e "s|@FIFO@|$BENCH_TMP/os-$n.fifo|;s|@TMP@|$BENCH_TMP/|;s|@FR_UA@|$OS_UA|;s|@ID@|$n|;s|@SEED@|$seed|" \
		-e "s|@ID_A@|${o[0]}|;s|@IP_A@|$(node_ip ${o[0]})|;s|@ID_B@|${o[1]}|;s|@IP_B@|$(node_ip ${o[1]})|" \
		-e "s|@CLUSTER_TUNE@|$tune|;s|@RR@|$rr|" \
		"$BENCH_DIR/systems/opensips-node.cfg" >"$BENCH_TMP/os-$n.cfg"
	_os $n 1024
}
sys_start() {
	local n d="$BENCH_TMP/os-db"
	mkdir -p "$d"
	printf 'table_name(string) table_version(int) \ndispatcher:9\n' >"$d/version"
	echo 'id(int,auto) setid(int) destination(string) socket(string,null) state(int) probe_mode(int) weight(string) priority(int) attrs(string,null) description(string,null) ' >"$d/dispatcher"
	for n in $NODES; do echo "$n:1:sip\\:$(node_ip $n)\\:$NODE_PORT::0:1:1:0::" >>"$d/dispatcher"; done
	for n in $NODES; do sys_start_node $n; sleep 1; done
	sed -e "s|@WORKERS@|$EDGE_WORKERS|;s|@EDGE_IP@|$EDGE_IP|;s|@EDGE_PORT@|$EDGE_PORT|;s|@MPATH@|$BENCH_TMP/os-mods/|" \
		-e "s|@FIFO@|$BENCH_TMP/os-edge.fifo|;s|@TMP@|$BENCH_TMP/|;s|@FR@|$OS_FR|;s|@FR_UA@|$OS_UA|;s|@PING@|$OS_PING|;s|@DSDIR@|$d|" \
		"$BENCH_DIR/systems/opensips-edge.cfg" >"$BENCH_TMP/os-edge.cfg"
	_os edge 512
	sleep 10  # the seed falls back to "synced" after 5 s, then the others sync
}
_osmi() {  # node, method, [params json]
	[ -p "$BENCH_TMP/os-$1.fifo" ] || return
	local f="osr$$x$RANDOM"
	mkfifo -m 600 "$BENCH_TMP/$f" || return
	echo ":$f:{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\"${3:+,\"params\":$3}}" >"$BENCH_TMP/os-$1.fifo" &
	local w=$!
	timeout 5 cat "$BENCH_TMP/$f"
	kill $w 2>/dev/null; wait $w 2>/dev/null
	rm -f "$BENCH_TMP/$f"
}
sys_contacts() { _osmi $1 get_statistics '{"statistics":["location-contacts"]}' | grep -o 'location-contacts":[ ]*[0-9]*' | grep -o '[0-9]*$'; }
sys_mem_kb() { _osmi $1 get_statistics '{"statistics":["real_used_size"]}' | grep -o 'real_used_size":[ ]*[0-9]*' | grep -o '[0-9]*$' | awk '{print int($1/1024)}'; }
sys_settings() { echo "profile=$PROFILE edge_workers=$EDGE_WORKERS node_workers=$NODE_WORKERS bin_tcp_workers=1 fr_node=${OS_FR}s fr_ua=${OS_UA}s ping=${OS_PING}s node_rr=$NODE_RR allocator=${OS_MEM:-default}"; }
# INVITE and BYE server transactions: the node keeps no count by method (not tried since it was added)
sys_node_calls() { _osmi $1 get_statistics '{"statistics":["received_requests","UAS_transactions"]}' | grep -o 'UAS_transactions":[ ]*[0-9]*' | grep -o '[0-9]*$'; }
sys_peers() { _osmi $1 clusterer_list | grep -o '"link_state":[ ]*"Up"' | wc -l; }
