TESTS += tests/lint/layers.sh tests/lint/fnlen.sh tests/lint/selftest.sh
EXTRA_DIST += tests/lint/layers.sh tests/lint/fnlen.sh \
	tests/lint/selftest.sh tests/lint/pure.txt tests/lint/libc.txt
