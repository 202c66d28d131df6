#!/bin/bash
# hack/cross.sh ARCH…: static binaries for other processors, built with Debian's cross compilers into dist/.
#
# libseccomp of the other processor comes from its own .deb, unpacked into .cache/sysroot: installing it would need
# dpkg --add-architecture and the same version of every shared package on this machine. apt is given lists of its own
# for that, so the machine's stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" dist

apt=(apt-get -qq
	-o APT::Architectures::=arm64 -o APT::Architectures::=armhf -o APT::Sandbox::User=root
	-o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache")

# Sources that lack the other processors (vendors' own) make the update fail in part; the download below decides.
update() { [[ -n $(find "$cache/apt/lists" -name '*_Packages*' -mtime -7 -print -quit) ]] || "${apt[@]}" update 2>/dev/null || true; }

sysroot() { # DEBARCH
	local root=$cache/sysroot/$1
	[[ -e $root/.done ]] && return
	update
	rm -rf "$root" && mkdir -p "$root/deb"
	(cd "$root/deb" && "${apt[@]}" download "libseccomp-dev:$1")
	dpkg-deb -x "$root"/deb/*.deb "$root"
	touch "$root/.done"
}

build() { # ARCH DEBARCH GOARCH GOARM TRIPLET
	sysroot "$2"
	local root=$cache/sysroot/$2 out=dist/podd-linux-$1
	# shellcheck disable=SC2086 # GCFLAGS is several words
	env CC="$5-gcc" CGO_ENABLED=1 GOOS=linux GOARCH="$3" GOARM="$4" \
		PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$root/usr/lib/$5/pkgconfig" \
		CGO_CFLAGS="-O2 -I$root/usr/include" CGO_LDFLAGS="-L$root/usr/lib/$5" \
		go build $GCFLAGS -ldflags "-checklinkname=0 -s -w -linkmode external -extldflags \"-static\" -X main.version=${VERSION:-unknown}" \
		-o "$out" ./cmd/podd
	local kind
	kind=$(file -b "$out")
	[[ $kind == *"statically linked"* ]] || { echo "$out is not static: $kind" >&2; exit 1; }
	printf '%s  %s bytes  %s\n' "$out" "$(stat -c %s "$out")" "${kind%%, for GNU*}"
}

# An emulator shows that the binary starts: the machine's own, or Debian's unpacked beside the sysroots.
emulator() { # NAME
	command -v "$1-static" && return
	local root=$cache/qemu
	if [[ ! -x $root/usr/bin/$1-static ]]; then
		update
		rm -rf "$root" && mkdir -p "$root/deb"
		(cd "$root/deb" && "${apt[@]}" download qemu-user-static && dpkg-deb -x ./*.deb "$root") >&2 || return
	fi
	echo "$root/usr/bin/$1-static"
}

try() { # ARCH EMULATOR
	local qemu
	qemu=$(emulator "$2") || { echo "dist/podd-linux-$1: not started: no emulator to be had"; return; }
	echo "dist/podd-linux-$1: runs under $2: $("$qemu" "dist/podd-linux-$1" version | head -1)"
}

for arch in "$@"; do
	case $arch in
	arm64) build arm64 arm64 arm64 "" aarch64-linux-gnu && try arm64 qemu-aarch64 ;;
	armv7) build armv7 armhf arm 7 arm-linux-gnueabihf && try armv7 qemu-arm ;;
	*) echo "hack/cross.sh: no architecture named '$arch'; it knows: arm64 armv7" >&2; exit 2 ;;
	esac
done
