#!/bin/bash
# Prints what a run of podd's tests can leave behind on this machine, a line each: mounts, cgroups, links and nftables
# tables with podd's names or below the tests' folders, and the processes of the run that $PODD_TEST_RUN names.
# hack/test.sh compares it before and after. What other programs start meanwhile is none of its business.
set -uo pipefail

# Folders of tests: podd-lab-…, podd-suite-… and the like, and those of testing.T.TempDir (TestName123/001).
awk '$5 ~ /\/[^\/]*podd[^\/]*(\/|$)/ || $5 ~ /\/Test[A-Z][^\/]*[0-9]+\/[0-9][0-9][0-9](\/|$)/ { print "mount " $5 }' /proc/self/mountinfo
find /sys/fs/cgroup -mindepth 1 -type d -path '*/podd*' -printf 'cgroup %p\n' 2>/dev/null | while read -r line; do
	# The cgroups of a run that goes on beside this one are not left by this one.
	[[ $line =~ /podd-(lab|test)-([0-9]+) && -d /proc/${BASH_REMATCH[2]} ]] || echo "$line"
done
find /sys/class/net -mindepth 1 -maxdepth 1 -name 'podd*' -printf 'link %f\n'
command -v nft >/dev/null && nft list tables 2>/dev/null | grep -w 'podd[^ ]*' | sed 's/^/nft /'
for environ in /proc/[0-9]*/environ; do
	pid=${environ//[!0-9]/}
	[[ $pid != "$$" && $pid != "$PPID" && $pid != "$BASHPID" ]] || continue
	if grep -qzx "PODD_TEST_RUN=${PODD_TEST_RUN:-none}" "$environ" 2>/dev/null; then
		echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-100)"
	fi
done
exit 0
