# One Criterion program per folder of the tree; tests/FOLDER/test_FILE.c.
TESTS_LIBS = $(CRITERION_LIBS)
include tests/base/local.mk
include tests/sip/local.mk
include tests/sip/local_txn.mk
include tests/dispatcher/local.mk
include tests/cluster/local_sim.mk
include tests/cluster/local.mk
include tests/web/local.mk
include tests/db/local.mk
include tests/sbc/local.mk
include tests/sim/local.mk
include tests/count/local.mk
include tests/node/local.mk
include tests/ctl/local.mk
include tests/drill/local.mk
include tests/fuzz/local.mk
include tests/e2e/local.mk
include tests/lint/local.mk
include tests/hostile/local.mk
