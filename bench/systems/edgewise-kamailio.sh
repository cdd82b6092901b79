# Driver: our edge before Kamailio nodes (Debian package), with kamailio-node.cfg
# as in kamailio.sh. NODE_RR=0|1: the nodes stay in the route set. The edge has
# its shipped defaults, as in edgewise.sh; core side UDP, the nodes have no TCP.
# EDGE_CONF: further lines for the edge's configuration file.
. "$BENCH_DIR/systems/edgewise.sh"
. "$BENCH_DIR/systems/kamailio.sh"
CORE=udp
sys_version() { echo "$("$(_ew_bin edgewise-sbc)" -V 2>&1 | head -1), commit $(git -C "$EDGEWISE_BUILD/.." describe --always --dirty 2>/dev/null || echo '?'); nodes: $($KAM -v | head -1)"; }
sys_settings() { echo "profile=$PROFILE edge: shipped defaults, core=udp${EDGE_CONF:+ $EDGE_CONF}; nodes: workers=$NODE_WORKERS fr_ua=${KAM_UA}ms node_rr=$NODE_RR"; }
_ew_ups() { # how many nodes the edge sees up
	_ew_get 8060 /api/v1/status | grep -o '"state": *"UP"' | wc -l
}
sys_start() {
	local n i
	rm -rf "$BENCH_TMP/ew-edge.state"; mkdir -p "$BENCH_TMP/ew-edge.state"
	for n in $NODES; do sys_start_node $n; sleep 1; done
	_ew_edge_conf
	_ew edge edgewise-sbc ${EDGE_WRAP:-}
	_ew_ready 8060 "$(sys_master edge)" || { log "the edge is not ready:"; tail -5 "$BENCH_TMP/ew-edge.log" >&2; return 1; }
	for i in $(seq 100); do [ "$(_ew_ups)" = "$NODEC" ] && break; sleep 0.1; done
	[ "$(_ew_ups)" = "$NODEC" ] || { log "the edge does not see all nodes up"; return 1; }
	sleep 2       # two probes of every node
}
