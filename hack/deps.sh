#!/bin/bash
# Installs Go and the Debian packages that the named purposes need: hack/deps.sh build test demo lint cross.
# Asks dpkg first, so that it costs milliseconds and needs neither root nor a network when all is there.
#
# Each purpose lists all that its programs are of, but for what is in every Debian (Priority: required) and make:
# `make test-fresh` runs each target where there is nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

# What makes a virtual machine's root and disk (hack/guest.sh).
guest="mmdebstrap arch-test kmod cpio xz-utils zstd e2fsprogs busybox-static qemu-utils ipxe-qemu"
# What makes a disk that boots by UEFI (hack/image.sh).
disk="fdisk dosfstools mtools mmdebstrap arch-test kmod cpio xz-utils zstd e2fsprogs"

declare -A packages=(
	# musl-dev is for what ships; tests are linked with libc6-dev, as the race detector is. git says which version it is.
	[build]="gcc libc6-dev musl-dev ca-certificates git"
	[test]="busybox-static util-linux iproute2 nftables procps e2fsprogs xfsprogs btrfs-progs f2fs-tools docker-registry skopeo dbus"
	[demo]="busybox-static util-linux iproute2 curl"
	[lint]="shellcheck curl git"
	# ipxe-qemu by name: without it apt would choose an emulator or the other, not both.
	[vm]="qemu-system-x86 secilc $guest"
	# An emulated board boots its image, too.
	[board]="qemu-system-arm qemu-efi-aarch64 $guest $disk"
	[image]="$disk"
	[bench]="busybox-static util-linux iproute2 e2fsprogs docker-registry skopeo"
	# What podd's containers are compared with (docs/confinement.md), and measured beside.
	[peers]="podman crun runc"
	[cross]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross file"
	[fresh]="mmdebstrap util-linux git"
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

# install NAME…: the lists of apt may be old or absent, so they are refreshed when the first try fails.
export DEBIAN_FRONTEND=noninteractive
install() {
	local command=(apt-get "${apt[@]}" install -y -qq --no-install-recommends "$@")
	"${command[@]}" >/dev/null 2>&1 || { apt-get "${apt[@]}" update -qq && "${command[@]}" >/dev/null; }
}
apt=()

needed=$(sed -n 's/^go //p' go.mod)
# at_least WANT HAVE
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -1) == "$1" ]]; }
# Go 1.21 and later fetch the version that go.mod names, unless they are told not to.
go_suffices() {
	local have
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return
	have=${have#go} have=${have%% *}
	at_least "$needed" "$have" || { at_least 1.21 "$have" && [[ $(cd / && go env GOTOOLCHAIN) == *auto ]]; }
}

# Debian's own, when it is new enough: Debian 13 has 1.24, Debian 12 has 1.23 in its backports. What apt is told of these
# is for this one command: the machine's sources stay as they are.
go_of_debian() {
	local codename
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	if [[ $codename == bookworm ]]; then
		local uri
		# shellcheck disable=SC2016 # apt fills it in
		uri=$(apt-get indextargets --format '$(REPO_URI)' "Suite: bookworm" "Component: main" 2>/dev/null | head -1)
		parts=$(mktemp -d)
		trap 'rm -rf "$parts"' EXIT
		cp /etc/apt/sources.list "$parts/machine.list" 2>/dev/null || true
		cp /etc/apt/sources.list.d/*.{list,sources} "$parts/" 2>/dev/null || true
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri:-http://deb.debian.org/debian} bookworm-backports main" >"$parts/podd-backports.list"
		apt=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$parts" -t bookworm-backports)
	fi
	echo "installing golang-go${codename:+ of $codename}${parts:+-backports}"
	install golang-go
	apt=()
	hash -r
}

if ! go_suffices; then
	found=$(command -v go || true)
	advice="install Go $needed or newer from https://go.dev/dl/, or any since 1.21, which fetches that by itself"
	if [[ -z $found ]]; then
		what="go is not on PATH"
	else
		what="$found is $(cd / && GOTOOLCHAIN=local go version | cut -d' ' -f3)"
		[[ -z $(cd / && go env GOTOOLCHAIN) ]] || what+=" and GOTOOLCHAIN is $(cd / && go env GOTOOLCHAIN), not auto"
	fi
	# One that is not Debian's would still be found first.
	if [[ -z $found ]] || dpkg-query -S "$(readlink -f "$found")" >/dev/null 2>&1; then
		if [[ $(id -u) -eq 0 ]]; then go_of_debian || true; else advice="run this as root, which installs Debian's, or $advice"; fi
	fi
	go_suffices || { echo "hack/deps.sh: $what; $advice" >&2; exit 1; }
fi

installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
	[[ " ${missing[*]} " == *" $package "* ]] || grep -qx "ii *$package" <<<"$installed" || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]]; then
	echo "hack/deps.sh: missing packages: ${missing[*]}; install them as root: apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
install "${missing[@]}"
