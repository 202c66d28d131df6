#!/bin/bash
# hack/deb.sh ARCH…: Debian packages of amd64, arm64, armhf into dist/ ($OUT), from board/packaging and binaries that are
# already built: bin/podd ($PODD) for this machine's own architecture, dist/podd-linux-ARCH of hack/build.sh for others.
#
# dpkg-deb alone makes them: debhelper would build what `make build` has built. The same commit gives the same bytes: all
# times are the commit's.
set -euo pipefail
cd "$(dirname "$0")/.."

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
umask 022

# A tag v1.2.3 is version 1.2.3, what comes after it 1.2.3+4.gabcdef, and before the first tag the commit's time counts.
debian_version() {
	local v=${VERSION:-$(git describe --tags --always --dirty)}
	case $v in
	v[0-9]*) v=${v#v}; sed -E 's/-([0-9]+)-g/+\1.g/; s/-dirty$/+dirty/; s/-/~/g' <<<"$v" ;;
	[0-9]*.[0-9]*) echo "$v" ;;
	*) echo "0.1.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).${v/-dirty/+dirty}" ;;
	esac
}

binary() { # DEBARCH
	case $1 in
	"$(dpkg --print-architecture)") echo "$podd" ;;
	armhf) echo dist/podd-linux-armv7 ;;
	*) echo "dist/podd-linux-$1" ;;
	esac
}

put() { install -D -m "$1" "$2" "$root/$3"; }
squeeze() { install -d "$(dirname "$root/$1")" && gzip -9n >"$root/$1" && chmod 644 "$root/$1"; }

# common is what the tarball and all packages have, below $root.
common() {
	put 644 board/packaging/systemd/podd.service usr/lib/systemd/system/podd.service
	put 644 board/packaging/systemd/podd-pods.service usr/lib/systemd/system/podd-pods.service
	put 644 board/packaging/tmpfiles.conf usr/lib/tmpfiles.d/podd.conf
	put 644 board/packaging/sysctl.conf usr/lib/sysctl.d/50-podd.conf
	put 644 board/packaging/modules-load.conf usr/lib/modules-load.d/podd.conf
	put 644 board/packaging/config.yaml etc/podd/config.yaml
	put 644 board/packaging/apparmor/podd-default etc/apparmor.d/podd-default
	install -d -m 755 "$root/etc/podd/manifests" "$root/etc/podd/images"
	install -d "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" "$root/usr/share/fish/vendor_completions.d"
	"$podd" completion bash >"$root/usr/share/bash-completion/completions/podd"
	"$podd" completion zsh >"$root/usr/share/zsh/vendor-completions/_podd"
	"$podd" completion fish >"$root/usr/share/fish/vendor_completions.d/podd.fish"
	put 755 board/packaging/busybox-image usr/share/podd/busybox-image
	put 644 board/packaging/hardened-config.yaml usr/share/doc/podd/hardened-config.yaml
	for f in board/packaging/examples/*; do put 644 "$f" "usr/share/doc/podd/examples/${f##*/}"; done
	for f in README.md CHANGELOG.md SECURITY.md CONTRIBUTING.md docs/*.md docs/decisions/*.md; do put 644 "$f" "usr/share/doc/podd/$f"; done # a board without the web reads them
	for f in "$man"/*.1; do squeeze "usr/share/man/man1/${f##*/}.gz" <"$f"; done
	squeeze usr/share/doc/podd/licenses.gz < <(hack/licenses.sh)
}

control() { # DEBARCH
	install -d "$root/DEBIAN"
	sed "s/@VERSION@/$version/; s/@ARCH@/$1/; s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f1)/" board/packaging/debian/control >"$root/DEBIAN/control"
	(cd "$root" && find etc -type f -printf '/%p\n') >"$root/DEBIAN/conffiles"
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
	for script in postinst prerm postrm; do put 755 "board/packaging/debian/$script" "DEBIAN/$script"; done
}

changelog() {
	cat <<-END
		podd ($version) unstable; urgency=medium

		  * See CHANGELOG.md of the sources.

		 -- podd authors <podd@podd.dev>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
	END
}

build() { # DEBARCH
	local out=${OUT:-dist}/podd_${version}_$1.deb
	rm -rf "$root" && mkdir -p "$root" "${OUT:-dist}"
	common
	put 755 "$(binary "$1")" usr/bin/podd
	put 644 board/packaging/debian/copyright usr/share/doc/podd/copyright
	put 644 board/packaging/debian/lintian-overrides usr/share/lintian/overrides/podd
	changelog | squeeze usr/share/doc/podd/changelog.gz
	control "$1"
	find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zxz --build "$root" "$out" >/dev/null
	echo "$out $(stat -c %s "$out") bytes"
}

version=$(debian_version)
podd=${PODD:-bin/podd}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/deb man=$work/man
VERSION=$version hack/man.sh "$man"
for arch in "$@"; do
	case $arch in
	amd64 | arm64 | armhf) build "$arch" ;;
	*) echo "hack/deb.sh: no architecture named '$arch'; it knows: amd64 arm64 armhf" >&2; exit 2 ;;
	esac
done
