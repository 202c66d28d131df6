#!/bin/sh
# Takes podd away again: ./uninstall.sh [--prefix DIR] [--destdir DIR] [--purge]
#
# Pods are ended first. Configuration, images, volumes and logs stay, unless --purge is given.
set -eu
prefix=/usr/local destdir='' purge=

# mounted lists what is mounted in a folder, the innermost first. man 5 proc_pid_mounts: spaces are \040.
mounted() {
	[ -r /proc/mounts ] || return 0
	while read -r _ at _; do
		case $at in "$1"/*) printf '%b\n' "$at" ;; esac
	done </proc/mounts | sort -r
}

# forget removes a folder and, before that, what is still mounted in it after a daemon that was killed. First all of it leaves its
# peers: a part of the machine may be bound there, and its own mounts would go with these.
forget() {
	mounted "$1" | while IFS= read -r at; do mount --make-private "$at" || true; done
	mounted "$1" | while IFS= read -r at; do umount -l "$at" || true; done
	if [ -n "$(mounted "$1")" ]; then
		echo "$1 stays, as something is still mounted in it" >&2
		return 0
	fi
	rm -rf "$1"
}

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2; exit 2; }
while [ $# -gt 0 ]; do
	case $1 in
	--purge)
		purge=yes
		shift
		;;
	--prefix | --destdir)
		[ $# -ge 2 ] || usage
		eval "${1#--}=\$2"
		shift 2
		;;
	*) usage ;;
	esac
done
list=$destdir$prefix/share/podd/installed
[ -e "$list" ] || { echo "uninstall.sh: podd was not installed by install.sh with the prefix $prefix" >&2; exit 1; }

if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
	systemctl disable --now podd.service
	systemctl stop podd-pods.service
elif [ -z "$destdir" ] && command -v rc-service >/dev/null; then
	rc-service --ifstarted podd stop
	rc-update --all delete podd || true
fi
while read -r path; do rm -f "$destdir$path"; done <"$list"
rm -f "$list"
[ -n "$destdir" ] || rm -f /run/systemd/logind.conf.d/99-podd.conf
rmdir "$destdir$prefix/share/podd" "$destdir$prefix/share/doc/podd/examples" "$destdir$prefix/share/doc/podd" 2>/dev/null || true
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

[ -n "$purge" ] || exit 0
forget "$destdir/run/podd"
forget "$destdir/var/lib/podd"
rm -rf "$destdir/etc/podd"
# A kubelet would keep its logs in the same place.
[ -d "$destdir/var/lib/kubelet" ] || rm -rf "$destdir/var/log/pods"
