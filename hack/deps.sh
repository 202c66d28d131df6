#!/bin/bash
# Installs the Debian packages that the named purposes need: hack/deps.sh build test demo lint cross.
# Asks dpkg first, so that it costs milliseconds and needs neither root nor a network when all is there.
set -euo pipefail

declare -A packages=(
	# musl-dev is for what ships; tests are linked with libc6-dev, as the race detector is.
	[build]="gcc libc6-dev musl-dev"
	[test]="busybox-static util-linux iproute2 nftables docker-registry skopeo dbus"
	[demo]="busybox-static util-linux iproute2 curl"
	[lint]="shellcheck curl"
	# ipxe-qemu by name: without it apt would choose an emulator or the other, not both.
	[vm]="qemu-system-x86 qemu-utils ipxe-qemu mmdebstrap arch-test kmod cpio xz-utils zstd e2fsprogs busybox-static"
	[board]="qemu-system-arm qemu-efi-aarch64 qemu-utils ipxe-qemu mmdebstrap arch-test kmod cpio xz-utils zstd e2fsprogs busybox-static"
	[image]="fdisk dosfstools mtools mmdebstrap arch-test kmod cpio xz-utils zstd e2fsprogs"
	[bench]="e2fsprogs docker-registry skopeo"
	[cross]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross file"
)

# podman's network wants iptables and its pods a pause program; Debian only recommends both.
if command -v podman >/dev/null; then packages[bench]+=" iptables catatonit"; fi

wanted=()
for purpose in "$@"; do
	if [[ ! -v packages[$purpose] ]]; then
		echo "hack/deps.sh: no purpose named '$purpose'; it knows: ${!packages[*]}" >&2
		exit 2
	fi
	read -ra more <<<"${packages[$purpose]}"
	wanted+=("${more[@]}")
done

installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
	grep -qx "ii *$package" <<<"$installed" || missing+=("$package")
done

if ! command -v go >/dev/null; then
	echo "hack/deps.sh: go is not on PATH; install Go 1.26 or newer from https://go.dev/dl/" >&2
	exit 1
fi
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]]; then
	echo "hack/deps.sh: missing packages: ${missing[*]}; install them as root: apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
# The lists may be old or absent: refresh them only when the first try fails.
"${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; }
