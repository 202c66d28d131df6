#!/bin/bash
# Prints what a test run could leave behind on this machine, one sorted line each: mounts, cgroups, links,
# nftables tables, and processes that podd or a test started. hack/test.sh compares it before and after.
set -uo pipefail

awk '{ print "mount " $5 " " $0 }' /proc/self/mountinfo | cut -d' ' -f1,2
find /sys/fs/cgroup -mindepth 2 -type d -printf 'cgroup %p\n' 2>/dev/null
find /sys/class/net -mindepth 1 -maxdepth 1 -printf 'link %f\n'
command -v nft >/dev/null && nft list tables 2>/dev/null | sed 's/^/nft /'
for exe in /proc/[0-9]*/exe; do
	target=$(readlink "$exe" 2>/dev/null) || continue
	case $target in
	*/podd | *.test | */busybox | *' (deleted)') echo "process $(basename "${target% (deleted)}") $(basename "$(dirname "$exe")")" ;;
	esac
done
exit 0
