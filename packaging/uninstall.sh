#!/bin/sh
# Takes podd away again: ./uninstall.sh [--prefix DIR] [--destdir DIR] [--purge]
#
# Pods are ended first. Configuration, images, volumes and logs stay, unless --purge is given.
set -eu
prefix=/usr/local destdir='' purge=

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
rmdir "$destdir$prefix/share/podd" "$destdir$prefix/share/doc/podd/examples" "$destdir$prefix/share/doc/podd" 2>/dev/null || true
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

[ -n "$purge" ] || exit 0
# What a daemon that was killed has left mounted goes first.
for folder in /run/podd /var/lib/podd; do
	[ -n "$destdir" ] || sed -n "s|^[^ ]* \($folder/[^ ]*\) .*|\1|p" /proc/mounts | sort -r | while read -r at; do umount -l "$at" || true; done
	rm -rf "$destdir$folder"
done
rm -rf "$destdir/etc/podd"
# A kubelet would keep its logs in the same place.
[ -d "$destdir/var/lib/kubelet" ] || rm -rf "$destdir/var/log/pods"
