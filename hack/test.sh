#!/bin/bash
# hack/test.sh PODD [go test flags and packages]: every test, race detector on, as whoever runs it; tests of the
# kernel skip themselves with a line when that is not root. Fails also when the run left something behind.
set -uo pipefail
podd=$(realpath "$1")
shift
cd "$(dirname "$0")/.." || exit

[[ $(id -u) -eq 0 ]] || echo "not root: the tests that need the kernel's help will be skipped" >&2

run=$(</proc/sys/kernel/random/uuid)
leftovers() { PODD_TEST_RUN=$run hack/leaks.sh | sort; }

before=$(leftovers)
PODD_TEST_RUN=$run PODD_BIN=$podd go test -race -count=1 -timeout 20m "$@"
status=$?
left=$(comm -13 <(echo "$before") <(leftovers))

if [[ -n $left ]]; then
	echo "the tests left something behind:" >&2
	echo "$left" >&2
	exit 1
fi
exit $status
