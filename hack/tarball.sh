#!/bin/bash
# hack/tarball.sh ARCH…: for systems without dpkg, dist/podd-VERSION-linux-ARCH.tar.gz ($OUT) with install.sh, of the
# binaries that are already built: bin/podd ($PODD) for this machine's own architecture, dist/podd-linux-ARCH for others.
set -euo pipefail
cd "$(dirname "$0")/.."
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=${VERSION:-$(git describe --tags --always --dirty)}
podd=${PODD:-bin/podd}
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

own() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	armv7l) echo armv7 ;;
	esac
}

build() { # ARCH
	local name=podd-$version-linux-$1 binary=dist/podd-linux-$1
	[[ $1 != "$(own)" ]] || binary=$podd
	local root=$work/$name out=${OUT:-dist}/$name.tar.gz
	mkdir -p "$root/completions" "${OUT:-dist}"
	install -m 755 "$binary" "$root/podd"
	cp -r board/packaging/install.sh board/packaging/uninstall.sh board/packaging/config.yaml board/packaging/*.conf \
		board/packaging/systemd board/packaging/openrc board/packaging/examples board/packaging/busybox-image "$work/man" "$root"
	"$podd" completion bash >"$root/completions/podd.bash"
	"$podd" completion zsh >"$root/completions/_podd"
	"$podd" completion fish >"$root/completions/podd.fish"
	cp "$work/licenses.gz" "$root"
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$out"
	echo "$out $(stat -c %s "$out") bytes"
}

VERSION=$version hack/man.sh "$work/man"
hack/licenses.sh | gzip -9n >"$work/licenses.gz"
for arch in "$@"; do
	case $arch in
	amd64 | arm64 | armv7) build "$arch" ;;
	*) echo "hack/tarball.sh: no architecture named '$arch'; it knows: amd64 arm64 armv7" >&2; exit 2 ;;
	esac
done
