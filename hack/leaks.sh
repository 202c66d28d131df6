#!/bin/bash
# Prints what a run of podd's tests can leave behind on this machine, a line each: mounts, cgroups, links, nftables tables
# and processes. hack/test.sh compares it before and after. $PODD_TEST_RUN names the run; the tests have it in the names of
# their folders and cgroups, and in their environment. What other runs and other podds have on the machine, and what other
# programs start meanwhile, is none of its business: neither need be in the PID namespace of this one.
set -uo pipefail
run=${PODD_TEST_RUN:?names the run of tests}

# Folders of the tests, podd-lab-RUN-… and the like, and those of testing.T.TempDir (TestName123/001).
awk -v run="$run" '$5 ~ "/podd-[a-z]+-" run || $5 ~ /\/Test[A-Z][^\/]*[0-9]+\/[0-9][0-9][0-9](\/|$)/ { print "mount " $5 }' /proc/self/mountinfo
find /sys/fs/cgroup -mindepth 1 -type d -path "*/podd-*-$run*" -printf 'cgroup %p\n' 2>/dev/null

# Links and tables have no names of a run: the tests make them in namespaces of their own. Where another podd has its own
# in this one, they are not looked at.
if [[ ${PODD_TEST_LINKS:-yes} == yes ]]; then
	find /sys/class/net -mindepth 1 -maxdepth 1 -name 'podd*' -printf 'link %f\n'
	command -v nft >/dev/null && nft list tables 2>/dev/null | grep -w 'podd[^ ]*' | sed 's/^/nft /'
fi
for environ in /proc/[0-9]*/environ; do
	pid=${environ//[!0-9]/}
	[[ $pid != "$$" && $pid != "$PPID" && $pid != "$BASHPID" ]] || continue
	if grep -qzx "PODD_TEST_RUN=$run" "$environ" 2>/dev/null; then
		echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-100)"
	fi
done
exit 0
