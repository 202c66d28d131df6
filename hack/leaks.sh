#!/bin/bash
# Prints what a test run could leave behind on this machine, a line each: mounts, cgroups, links, nftables tables, and
# the processes of the run that $PODD_TEST_RUN names. hack/test.sh compares it before and after.
set -uo pipefail

awk '{ print "mount " $5 }' /proc/self/mountinfo
find /sys/fs/cgroup -mindepth 2 -type d -printf 'cgroup %p\n' 2>/dev/null | while read -r line; do
	# The cgroups of a run that goes on beside this one are not left by this one.
	[[ $line =~ /podd-lab-([0-9]+) && -d /proc/${BASH_REMATCH[1]} ]] || echo "$line"
done
find /sys/class/net -mindepth 1 -maxdepth 1 -printf 'link %f\n'
command -v nft >/dev/null && nft list tables 2>/dev/null | sed 's/^/nft /'
for environ in /proc/[0-9]*/environ; do
	pid=${environ//[!0-9]/}
	[[ $pid != "$$" && $pid != "$PPID" && $pid != "$BASHPID" ]] || continue
	if grep -qzx "PODD_TEST_RUN=${PODD_TEST_RUN:-none}" "$environ" 2>/dev/null; then
		echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-100)"
	fi
done
exit 0
