EXTRA_DIST += tests/e2e/README.md tests/e2e/run tests/e2e/e2e.py tests/e2e/sipp.py \
	tests/e2e/group_admin.py tests/e2e/group_admit.py tests/e2e/group_baresip.py tests/e2e/group_browser.py tests/e2e/group_calls.py tests/e2e/group_cli.py tests/e2e/group_cluster.py tests/e2e/group_drill.py \
	tests/e2e/group_failover.py tests/e2e/group_forked.py tests/e2e/group_hide.py tests/e2e/group_hooks.py tests/e2e/group_hostile.py \
	tests/e2e/group_import.py tests/e2e/group_kamailio.py tests/e2e/group_node.py tests/e2e/group_peers.py tests/e2e/group_policy.py tests/e2e/group_restart.py \
	tests/e2e/group_members.py tests/e2e/group_node.py tests/e2e/group_policy.py tests/e2e/group_restart.py \
	tests/e2e/group_kamailio.py tests/e2e/group_node.py tests/e2e/group_page.py tests/e2e/group_policy.py tests/e2e/group_restart.py \
	tests/e2e/group_start.py tests/e2e/group_stress.py \
	tests/e2e/group_torture.py tests/e2e/group_ua.py \
	tests/e2e/kill_rounds.py tests/e2e/scenarios \
	tests/support/lab.py tests/support/netlab.py \
	tests/support/regload.py tests/support/relay.py tests/support/sipmsg.py tests/support/sipua.py
