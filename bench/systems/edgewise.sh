# Driver: Edgewise, from a build of this tree (EDGEWISE_BUILD, default build/).
# Shipped defaults in both profiles; what differs from them is what the
# scenarios need: no digest, every domain, SIP to a node from all of loopback
# (`lag` speaks to a node directly), room for the load (max_expires).
# CORE=tcp|udp: transport between edge and nodes. EDGE_CONF, NODE_CONF: further
# lines for the configuration files. DB=sqlite: a file for each node;
# DB=postgresql|mariadb: one server of our own, which all share; FLUSH: interval [ms].
EDGEWISE_BUILD=${EDGEWISE_BUILD:-$(cd "$BENCH_DIR/.." && pwd)/build}
CORE=${CORE:-tcp}
EW_KEY=$BENCH_TMP/ew-cluster.key
_ew_bin() {
	local d
	for d in "" sbc/ node/ ctl/; do [ -x "$EDGEWISE_BUILD/$d$1" ] && { echo "$EDGEWISE_BUILD/$d$1"; return; }; done
	echo "bench: no $1 in $EDGEWISE_BUILD: build first" >&2; return 1
}
sys_version() { echo "$("$(_ew_bin edgewise-sbc)" -V 2>&1 | head -1), commit $(git -C "$EDGEWISE_BUILD/.." describe --always --dirty 2>/dev/null || echo '?')"; }
sys_settings() { echo "profile=$PROFILE: shipped defaults, core=$CORE auth=off domains=any edges=127.0.0.0/8${DB:+ db=$DB flush_interval=${FLUSH:-10000}}${EDGE_CONF:+ edge: $EDGE_CONF}${NODE_CONF:+ node: $NODE_CONF}"; }
_ew_get() { # port path: an HTTP GET; status line and body to stdout
	timeout 3 bash -c 'LC_ALL=C; n=0
	exec 3<>/dev/tcp/127.0.0.1/$0 && printf "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" "$1" >&3 || exit 1
	read -r line <&3; echo "$line"
	while read -r line <&3; do      # do not wait for the end of the connection
		line=${line%$'"'\\r'"'}
		case ${line,,} in content-length:*) n=${line#*:} ;; "") break ;; esac
	done
	read -r -N $((n)) body <&3; printf "%s\n" "$body"' "$1" "$2" 2>/dev/null
}
_ew_ready() { # port master-pid: until /readyz says 200, 15 s at most
	local i
	for i in $(seq 150); do
		_ew_get "$1" /readyz | head -1 | grep -q ' 200 ' && return 0
		[ -d "/proc/$2" ] || return 1
		sleep 0.1
	done
	return 1
}
_ew() { # who program wrapper...
	local who=$1 prog=$2 bin; shift 2
	bin=$(_ew_bin "$prog") || return 1
	( exec setsid "$@" "$bin" -c "$BENCH_TMP/ew-$who.conf" ) >"$BENCH_TMP/ew-$who.log" 2>&1 </dev/null 9>&- &
	echo $! >"$BENCH_TMP/$SYSTEM-$who.pid"; disown
}
# Before the first node: databases without a row. The servers' durability is as in
# tests/support/sqlserver: a kill loses nothing, a power cut may.
_ew_db_end() { [ ! -d "$BENCH_TMP/sql" ] || "$BENCH_DIR/../tests/support/sqlserver" kill "$BENCH_TMP/sql"; }
_ew_db_begin() {
	local n tool; tool=$(_ew_bin edgewise) || return 1
	case ${DB:-} in
	"") return 0 ;;
	sqlite)
		rm -f "$BENCH_TMP"/ew-*.db*
		for n in $NODES; do "$tool" db init -d "sqlite://$BENCH_TMP/ew-$n.db" >/dev/null || return 1; done ;;
	*)
		_ew_db_end; rm -rf "$BENCH_TMP/sql"; chmod 755 "$BENCH_TMP"
		"$BENCH_DIR/../tests/support/sqlserver" start "$DB" "$BENCH_TMP/sql" >"$BENCH_TMP/sql.url" 9>&- || return 1
		"$tool" db init -d "$(cat "$BENCH_TMP/sql.url")" >/dev/null ;;
	esac
}
_ew_db_conf() { # n
	[ -n "${DB:-}" ] || return 0
	case " ${DB_NODES:-$NODES} " in *" $1 "*) ;; *) return 0 ;; esac     # the others hold theirs in memory alone
	echo "flush_interval = ${FLUSH:-10000};"
	case $DB in
	sqlite) echo "db_url = \"sqlite://$BENCH_TMP/ew-$1.db\";" ;;
	*) echo "db_url = \"$(cat "$BENCH_TMP/sql.url")\"; db_mode = \"shared\";" ;;
	esac
}
sys_start_node() {
	local n=$1
	mkdir -p "$BENCH_TMP/ew-$n.state"
	cat >"$BENCH_TMP/ew-$n.conf" <<-CONF
	name = "n$n";
	sip = { address = "$(node_ip $n)"; port = $NODE_PORT; };
	edges = ( "127.0.0.0/8" );
	domains = "any";
	auth = "off";
	registrar = { max_expires = 86400; max_bindings = ${MAX_BINDINGS:-1000000}; };
	cluster = {
	  address = "$(node_ip $n)"; port = 5080; key_file = "$EW_KEY";
	  peers = ( "$(node_ip 1):5080", "$(node_ip 2):5080", "$(node_ip 3):5080" );
	};
	http = { address = "127.0.0.1"; port = $((8060 + n)); };
	state_dir = "$BENCH_TMP/ew-$n.state";
	log = { level = "warn"; target = "stderr"; };
	$(_ew_db_conf $n)
	${NODE_CONF:-}
	CONF
	_ew $n edgewise-node
}
_ew_edge_conf() {
	local n
	{
		cat <<-CONF
		listen = ( { transport = "udp"; address = "$EDGE_IP"; port = $EDGE_PORT; },
		           { transport = "tcp"; address = "$EDGE_IP"; port = $EDGE_PORT; } );
		core = { transport = "$CORE"; address = "$EDGE_IP"; port = 5070; };
		http = { address = "127.0.0.1"; port = 8060; };
		state_dir = "$BENCH_TMP/ew-edge.state";
		log = { level = "warn"; target = "stderr"; };
		${EDGE_CONF:-}
		pool = (
		CONF
		for n in $NODES; do
			[ $n = 1 ] || echo ,
			echo "  { name = \"n$n\"; address = \"$(node_ip $n)\"; port = $NODE_PORT; }"
		done
		echo ");"
	} >"$BENCH_TMP/ew-edge.conf"
}
sys_start() {
	local n
	# each start is a new cluster: nothing left from an earlier repetition
	rm -rf "$BENCH_TMP"/ew-*.state; mkdir -p "$BENCH_TMP/ew-edge.state"
	( umask 077; od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$EW_KEY"; echo >>"$EW_KEY" )
	_ew_db_begin || { log "no database: $DB"; return 1; }
	for n in $NODES; do sys_start_node $n; done
	for n in $NODES; do
		_ew_ready $((8060 + n)) "$(sys_master $n)" || { log "node $n is not ready:"; tail -5 "$BENCH_TMP/ew-$n.log" >&2; return 1; }
	done
	_ew_edge_conf
	_ew edge edgewise-sbc ${EDGE_WRAP:-}
	_ew_ready 8060 "$(sys_master edge)" || { log "the edge is not ready:"; tail -5 "$BENCH_TMP/ew-edge.log" >&2; return 1; }
	sleep 2       # two probes of every node
}
# One figure of a node: of /metrics, and of /api/v1/status (the first number
# under that key).
_ew_metric() { _ew_get $((8060 + $1)) /metrics | awk -v k="$2" '$1==k{print int($2); exit}'; }
_ew_status() { _ew_get $((8060 + $1)) /api/v1/status | grep -o "\"$2\": *[0-9]*" | grep -o '[0-9]*$' | head -1; }
sys_contacts() { _ew_status $1 contacts; }
sys_mem_kb() { rss_kb $(node_pids $1); }     # it keeps no figure of its own
sys_node_calls() { _ew_metric $1 edgewise_node_forks_total; }
sys_peers() { echo $(($(_ew_get $((8060 + $1)) /api/v1/status | grep -o '"health": *"alive"' | wc -l) - 1)); }
sys_ready() { _ew_get $((8060 + $1)) /readyz | head -1 | grep -q ' 200 '; }
sys_fill() { # prefix n, pushed by an authenticated peer: make -C build bench/fill
	local fill=$EDGEWISE_BUILD/bench/fill
	[ -x "$fill" ] || return 1
	"$fill" --key "$EW_KEY" --to "$(node_ip 2):5080" --count "$2" --first 1 --prefix "$1" --domain 127.0.0.1 --edge "$EDGE_IP:5070" \
		--expires ${FILL_EXPIRES:-80000} --max-expires 86400 ${FILL_REBOOT:+--reboot} >"$BENCH_TMP/fill.out" 2>&1 9>&- && sed -n 's/^contacts=\([0-9]*\) .*/\1/p' "$BENCH_TMP/fill.out"
}
sys_db_end() { _ew_db_end; }
sys_dirty() { _ew_status $1 dirty; }     # changes that its database does not have
sys_flush() { # what is left is written at once: prints how long it took; the comparison that comes with it goes on
	local t0 tool; tool=$(_ew_bin edgewise); t0=$(now_ms)
	"$tool" db verify -t 120 -c "$BENCH_TMP/ew-$1.conf" >"$BENCH_TMP/dbverify-$1.out" 2>&1 9>&- &
	sleep 0.05
	while [ "$(sys_dirty $1)" != 0 ]; do sleep 0.05; done
	echo $(($(now_ms) - t0))
}
sys_verify() { # exit status and ms of `edgewise verify`, where there is one
	local tool t0 rc=0
	tool=$(_ew_bin edgewise) && "$tool" help | grep -q '^  verify' || return 1
	t0=$(now_ms); "$tool" verify --config "$BENCH_TMP/ew-1.conf" >"$BENCH_TMP/verify.out" 2>&1 || rc=$?
	echo "$rc $(($(now_ms) - t0))"
}
