# Shared by run and the drivers. Plain bash.
BENCH_DIR=${BENCH_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
BENCH_TMP=${BENCH_TMP:-${TMPDIR:-/tmp}/bench-${SYSTEM:-x}}
mkdir -p "$BENCH_TMP"

# --- addresses (loopback only) ---
EDGE_IP=127.0.0.1; EDGE_PORT=5060
NODE_PORT=5060
node_ip() { echo "127.0.0.1$1"; }          # node 1..3 -> 127.0.0.11..13
UAC_IP=127.0.0.21; UAC_PORT=6060
UAS_IP=127.0.0.31; UAS_PORT=7060
# A phone registers from where it answers calls (an edge may send them back on
# that very flow). So registrations run before the UAS is started.
REG_IP=$UAS_IP; REG_PORT=$UAS_PORT
NODES="1 2 3"; NODEC=3

# --- knobs ---
PROFILE=${PROFILE:-tuned}                  # tuned | stock
NODE_RR=${NODE_RR:-1}                      # nodes stay in the route set
EDGE_WORKERS=${EDGE_WORKERS:-2}
NODE_WORKERS=${NODE_WORKERS:-2}

log() { echo "[$(date +%T)] $*" >&2; }

# All live processes of a master pid, itself included.
tree() {
	local p=$1 k
	[ -d "/proc/$p" ] || return 0
	echo "$p"
	for k in $(cat /proc/$p/task/*/children 2>/dev/null); do tree "$k"; done
}
# CPU ticks (utime+stime, plus reaped children) of the pids given.
ticks() {
	local p s=0 l
	for p in "$@"; do
		l=$(cat "/proc/$p/stat" 2>/dev/null) || continue
		l=${l##*) }
		set -- $l
		s=$((s + ${12} + ${13}))
	done
	echo $s
}
rss_kb() {  # sum of Pss: shared memory is counted once
	local p s=0 v
	for p in "$@"; do
		v=$(awk '/^Pss:/{print $2}' "/proc/$p/smaps_rollup" 2>/dev/null)
		s=$((s + ${v:-0}))
	done
	echo $s
}
HZ=$(getconf CLK_TCK)

# What the figures were made on, one line.
machine() {
	printf 'machine: %s, %s cores, %s MiB, Linux %s; sipp %s' "$(awk -F': *' '/model name/{print $2; exit}' /proc/cpuinfo)" \
		"$(nproc)" "$(awk '/MemTotal/{print int($2/1024)}' /proc/meminfo)" "$(uname -r)" "$(sipp -v 2>/dev/null | grep -o 'v[0-9][0-9.]*' | head -1)"
	printf '; harness %s\n' "$(git -C "$BENCH_DIR" describe --always --dirty 2>/dev/null || echo '?')"
}

# Driver contract: sys_start, sys_start_node N, sys_master edge|1|2|3 (pid),
# sys_contacts N, sys_mem_kb N, sys_node_calls N (INVITEs it received),
# sys_peers N (peers it holds for alive), sys_version, sys_settings. May be
# replaced: sys_ready N WANT (does node N say that it can serve; by default:
# does it hold WANT contacts), sys_fill PREFIX N (N contacts PREFIX1.. at once;
# prints how many), sys_verify (prints exit status and ms).
sys_ready() { local c; c=$(sys_contacts $1); [ "${c:-0}" -ge "$2" ]; }
sys_fill() { return 1; }
sys_verify() { return 1; }
sys_db_end() { :; }
edge_pids() { tree "$(sys_master edge)"; }
node_pids() { tree "$(sys_master "$1")"; }
nodes_pids() { local n; for n in $NODES; do node_pids $n; done; }
sig_node() { local p; p=$(node_pids "$2"); [ -n "$p" ] && kill -"$1" $p; }
sys_stop() {
	local w p
	for w in edge $NODES; do
		p=$(tree "$(sys_master $w 2>/dev/null)" 2>/dev/null)
		[ -n "$p" ] && { kill -CONT $p; kill -9 $p; } 2>/dev/null
		rm -f "$BENCH_TMP/$SYSTEM-$w.pid"
	done
	return 0
}
sys_master() { cat "$BENCH_TMP/$SYSTEM-$1.pid" 2>/dev/null; }
now_ms() { date +%s%3N; }
