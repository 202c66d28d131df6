#!/bin/bash
# hack/test.sh PODD [go test flags and packages]: every test, race detector on, as whoever runs it; tests of the
# kernel skip themselves with a line when that is not root. Fails also when the run left something behind.
set -uo pipefail
podd=$(realpath "$1")
shift
cd "$(dirname "$0")/.." || exit

[[ $(id -u) -eq 0 ]] || echo "not root: the tests that need the kernel's help will be skipped" >&2

run=$(head -c8 /proc/sys/kernel/random/uuid)
leftovers() { PODD_TEST_RUN=$run hack/leaks.sh | sort; }

# Another podd in this network namespace makes and removes links and tables while the tests run.
podd_links() {
	ls -d /sys/class/net/podd* >/dev/null 2>&1 || { command -v nft >/dev/null && nft list tables 2>/dev/null | grep -qw 'podd[^ ]*'; }
}
if podd_links; then export PODD_TEST_LINKS=no; fi

before=$(leftovers)
# The race detector sleeps for a second at the end of each process, those that tests start among them.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"
PODD_TEST_RUN=$run PODD_BIN=$podd go test -race -count=1 -timeout 20m "$@"
status=$?
left=$(comm -13 <(echo "$before") <(leftovers))

if [[ -n $left ]]; then
	echo "the tests left something behind:" >&2
	echo "$left" >&2
	exit 1
fi
exit $status
