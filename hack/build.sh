#!/bin/bash
# hack/build.sh ARCH…: static binaries: bin/podd for native, dist/podd-linux-ARCH for other processors, which Debian's
# cross compilers build. $VERSION is what the binary says it is; $GOFLAGS are the Makefile's.
#
# They are linked with musl (docs/decisions/022-musl.md). Native, it comes from the machine's package; that of another
# processor from its own .deb, unpacked into .cache/sysroot: installing it would need dpkg --add-architecture. apt is given
# lists of its own for that, so the machine's stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache

apt=(apt-get -qq
	-o APT::Architectures::=arm64 -o APT::Architectures::=armhf -o APT::Sandbox::User=root
	-o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache")

# Sources that lack the other processors (vendors' own) make the update fail in part; the download below decides.
update() {
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	[[ -n $(find "$cache/apt/lists" -name '*_Packages*' -mtime -7 -print -quit) ]] || "${apt[@]}" update 2>/dev/null || true
}

sysroot() { # DEBARCH: prints the folder
	local root=$cache/sysroot/$1-musl
	echo "$root"
	[[ -e $root/.done ]] && return
	update >&2
	rm -rf "$root" && mkdir -p "$root/deb"
	(cd "$root/deb" && "${apt[@]}" download "musl-dev:$1") >&2
	for deb in "$root"/deb/*.deb; do dpkg-deb -x "$deb" "$root"; done
	touch "$root/.done"
}

build() { # OUT ROOT GNU MUSL [VARIABLE=VALUE…]: GNU and MUSL are the names of Debian's folders for the two libraries
	local out=$1 root=$2 gnu=$3 musl=$4 link=$cache/musl/$4
	shift 4
	mkdir -p "$link" "$(dirname "$out")"
	sed "s|/usr/|$root/usr/|g" "$root/usr/lib/$musl/musl-gcc.specs" >"$link/specs"
	# -idirafter: the kernel's headers are not musl's, and come with the C library of the compiler.
	env CC="${CROSS:+$gnu-}gcc -specs=$link/specs" CGO_ENABLED=1 GOOS=linux "$@" \
		CGO_CFLAGS="-O2 -idirafter /usr/${CROSS:+$gnu/}include -idirafter /usr/include/$gnu" \
		go build -ldflags "-s -w -linkmode external -extldflags -static -X main.version=${VERSION:-unknown}" \
		-o "$out" ./cmd/podd
}

cross() { # ARCH DEBARCH GNU MUSL [VARIABLE=VALUE…]
	local out=dist/podd-linux-$1 root kind
	root=$(sysroot "$2")
	shift 2
	CROSS=yes build "$out" "$root" "$@"
	kind=$(file -b "$out")
	[[ $kind == *"statically linked"* ]] || { echo "$out is not static: $kind" >&2; exit 1; }
	printf '%s  %s bytes  %s\n' "$out" "$(stat -c %s "$out")" "${kind%%, for GNU*}"
}

native() {
	local gnu
	gnu=$(gcc -print-multiarch)
	case $gnu in
	arm-linux-gnueabihf) build bin/podd "" "$gnu" arm-linux-musleabihf ;;
	*) build bin/podd "" "$gnu" "${gnu/gnu/musl}" ;;
	esac
}

# An emulator shows that the binary starts: the machine's own, or Debian's unpacked beside the sysroots.
fetch_emulator() { (cd "$cache/qemu/deb" && "${apt[@]}" download "$1" && dpkg-deb -x "$1"_*.deb ..) >&2; }
emulator() { # NAME
	command -v "$1-static" && return
	local root=$cache/qemu
	if [[ ! -x $root/usr/bin/$1-static ]]; then
		update
		rm -rf "$root" && mkdir -p "$root/deb"
		fetch_emulator qemu-user-static || return
		# In Debian 13 that is links to what is in another package.
		[[ -x $root/usr/bin/$1-static ]] || fetch_emulator qemu-user || return
	fi
	echo "$root/usr/bin/$1-static"
}

try() { # ARCH EMULATOR
	local qemu
	qemu=$(emulator "$2") || { echo "dist/podd-linux-$1: not started: no emulator to be had"; return; }
	echo "dist/podd-linux-$1: runs under $2: $("$qemu" "dist/podd-linux-$1" version --client | head -1)"
}

for arch in "$@"; do
	case $arch in
	native) native ;;
	arm64) cross arm64 arm64 aarch64-linux-gnu aarch64-linux-musl GOARCH=arm64; try arm64 qemu-aarch64 ;;
	armv7) cross armv7 armhf arm-linux-gnueabihf arm-linux-musleabihf GOARCH=arm GOARM=7; try armv7 qemu-arm ;;
	*) echo "hack/build.sh: no architecture named '$arch'; it knows: native arm64 armv7" >&2; exit 2 ;;
	esac
done
