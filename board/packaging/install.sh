#!/bin/sh
# Installs podd from this folder, on any Linux: ./install.sh [--prefix DIR] [--destdir DIR]
#
# Files go below the prefix (/usr/local), the configuration to /etc/podd. With systemd or OpenRC the service is enabled
# and started; on a machine that has podd already, this is the upgrade, and the pods go on running. With a destdir,
# for building images, nothing is started. ./uninstall.sh takes it away again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local destdir=

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2; exit 2; }
while [ $# -gt 0 ]; do
	case $1 in
	--prefix | --destdir)
		[ $# -ge 2 ] || usage
		eval "${1#--}=\$2"
		shift 2
		;;
	*) usage ;;
	esac
done
case $prefix in /*) ;; *) echo "install.sh: --prefix must begin with /, not be '$prefix'" >&2; exit 2 ;; esac
if [ "$(id -u)" -ne 0 ] && [ -z "$destdir" ]; then echo "install.sh: run it as root, or give a --destdir" >&2; exit 1; fi

list=$destdir$prefix/share/podd/installed
mkdir -p "${list%/*}"
: >"$list.new"

# put MODE FILE PATH: a file that is in use is replaced, not written to.
put() {
	mkdir -p "$destdir${3%/*}"
	sed "s|/usr/bin/podd|$prefix/bin/podd|g" "$here/$2" >"$destdir$3.new"
	place "$1" "$3"
}
copy() {
	mkdir -p "$destdir${3%/*}"
	cp "$here/$2" "$destdir$3.new"
	place "$1" "$3"
}
place() {
	chmod "$1" "$destdir$2.new"
	mv -f "$destdir$2.new" "$destdir$2"
	echo "$2" >>"$list.new"
}

copy 755 podd "$prefix/bin/podd"
put 644 systemd/podd.service "$prefix/lib/systemd/system/podd.service"
put 644 systemd/podd-pods.service "$prefix/lib/systemd/system/podd-pods.service"
put 755 openrc/podd "/etc/init.d/podd"
copy 644 tmpfiles.conf /etc/tmpfiles.d/podd.conf
copy 644 sysctl.conf /etc/sysctl.d/50-podd.conf
copy 644 modules-load.conf /etc/modules-load.d/podd.conf
copy 644 completions/podd.bash "$prefix/share/bash-completion/completions/podd"
copy 644 completions/_podd "$prefix/share/zsh/site-functions/_podd"
copy 644 completions/podd.fish "$prefix/share/fish/vendor_completions.d/podd.fish"
for page in "$here"/man/*; do copy 644 "man/${page##*/}" "$prefix/share/man/man1/${page##*/}"; done
for example in "$here"/examples/*; do copy 644 "examples/${example##*/}" "$prefix/share/doc/podd/examples/${example##*/}"; done
copy 755 busybox-image "$prefix/share/podd/busybox-image"
copy 644 licenses.gz "$prefix/share/doc/podd/licenses.gz"
mkdir -p "$destdir/etc/podd/manifests" "$destdir/etc/podd/images"
# The configuration is the administrator's: what this version knows is beside it.
[ -e "$destdir/etc/podd/config.yaml" ] || cp "$here/config.yaml" "$destdir/etc/podd/config.yaml"
copy 644 config.yaml "$prefix/share/doc/podd/config.yaml"
mv -f "$list.new" "$list"

[ -z "$destdir" ] || exit 0
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemd-tmpfiles --create podd.conf || true
	systemctl restart systemd-modules-load.service systemd-sysctl.service || true
	systemctl enable podd.service
	if systemctl --quiet is-active podd.service; then systemctl restart podd.service; else systemctl start podd.service; fi
elif command -v rc-service >/dev/null; then
	rc-update add podd default
	if rc-service --quiet podd status; then rc-service podd restart; else rc-service podd start; fi
else
	echo "podd is installed. No systemd and no OpenRC here: have your init run '$prefix/bin/podd run' and start it again when it ends."
fi
