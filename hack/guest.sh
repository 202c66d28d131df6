#!/bin/bash
# hack/guest.sh ARCH: makes the disk and the kernels that the tests boot virtual machines from, and prints their folder:
# root.ext4 (Debian 12 with systemd), and per kernel vmlinuz-NAME, initrd-NAME and release-NAME.
#
# DEBIAN=bullseye or trixie makes a root of another release, with that one's kernel and systemd.
#
# PODD_VM_USB=1 adds Debian's general kernel (generic), which has drivers that one of a cloud's has not.
#
# The folder is named after what goes into it, this file, so that an unchanged one is made once; remove .cache/vm to
# get today's packages. Nothing of podd is in it: that comes on a second disk, or is installed by the test.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 3>&1 >&2 # only the folder's name goes to stdout
arch=${1:?hack/guest.sh ARCH: amd64, arm64 or armhf}
cache=$PWD/.cache/vm
debian=${DEBIAN:-bookworm}
key=$({ sha256sum hack/guest.sh hack/guest/* && echo "$debian ${PODD_VM_USB:-}"; } | sha256sum)
out=$cache/$arch-${key:0:12}
mkdir -p "$cache"
exec 9>"$cache/$arch.lock"
flock 9
[[ -e $out/done ]] && { echo "$out" >&3; exit; }
[[ $(id -u) -eq 0 ]] || { echo "hack/guest.sh: making a root file system needs root"; exit 1; }

# What a board has, and what the tests look with. busybox-static is what the test images are made of.
packages=systemd,systemd-sysv,dbus,udev,kmod,iproute2,nftables,procps,e2fsprogs,busybox-static
releases=("$debian" "$debian-security")
case $arch in
amd64)
	kernels=("stable:$debian-security:linux-image-cloud-amd64" newest:trixie-backports:linux-image-cloud-amd64)
	[[ $debian == bookworm ]] || kernels=("${kernels[0]}")
	if [[ -n ${PODD_VM_USB:-} ]]; then
		kernels+=("generic:$debian-security:linux-image-amd64")
		packages+=,f2fs-tools
	fi
	packages+=,nfs-kernel-server # a test mounts from it; configure keeps it from being started
	;;
arm64) kernels=("stable:$debian-security:linux-image-cloud-arm64") ;;
armhf) # Its lists of security updates are not always those that were signed.
	releases=("$debian")
	kernels=("stable:$debian:linux-image-armmp")
	;;
*) echo "hack/guest.sh: no architecture named '$arch'; it knows: amd64 arm64 armhf"; exit 2 ;;
esac

work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

say() { echo "guest $arch: $*"; }

# suite writes the address of a Debian suite: security has a server folder of its own.
suite() {
	case $1 in
	*-security) echo "http://deb.debian.org/debian-security $1 main" ;;
	*) echo "http://deb.debian.org/debian $1 main" ;;
	esac
}

# fetch downloads a package, with lists of apt's own; of a kernel's name of the day, what that stands for.
fetch() { # SUITE PACKAGE INTO
	local state=$work/apt-$1
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts" "$3"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(suite "$1")" >"$state/sources.list"
	local apt=(-qq -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch" -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache"
		-o "Dir::Etc::sourcelist=$state/sources.list" -o "Dir::Etc::sourceparts=$state/parts"
		-o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
	[[ -e $state/updated ]] || { apt-get "${apt[@]}" update && touch "$state/updated"; }
	# Since Linux 7 an image package is empty, and needs one of the kernel and one of its modules.
	local image parts
	image=$(apt-cache "${apt[@]}" depends "$2" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ && !n++ {print $2}')
	image=${image:-$2}
	read -ra parts < <(apt-cache "${apt[@]}" depends "$image" | awk '$1 == "Depends:" && $2 ~ /^linux-(binary|modules)-/ {printf "%s ", $2} END {print ""}')
	(cd "$3" && apt-get "${apt[@]}" download "$image" "${parts[@]}")
}

# initrd holds what it takes to find the disk: busybox, a few modules in their order, and a script.
initrd() { # RELEASE INTO
	local tree=$work/initrd-$1 module n=10
	mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
	cp "$root/bin/busybox" "$tree/bin/busybox"
	install -m 755 hack/guest/init "$tree/init"
	while read -r module; do
		case $module in
		*.xz) xz -dc "$module" >"$tree/modules/$n-$(basename "${module%.xz}")" ;;
		*.zst) zstd -qdc "$module" >"$tree/modules/$n-$(basename "${module%.zst}")" ;;
		*) cp "$module" "$tree/modules/$n-$(basename "$module")" ;;
		esac
		n=$((n + 1))
	done < <(for module in virtio_pci virtio_mmio virtio_blk ext4; do
		modprobe -d "$root" -S "$1" --show-depends "$module" 2>/dev/null || true # one that is built in
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}')
	(cd "$tree" && find . | cpio --quiet -o -H newc) | gzip -1 >"$2"
}

kernel() { # NAME
	say "kernel $1"
	local deb image release modules
	for deb in "$work/kernel-$1"/*.deb; do dpkg-deb -x "$deb" "$work/kernel-$1/files"; done
	# Debian 13 has the modules below usr, and its newest kernels the image among them.
	image=$(find "$work/kernel-$1/files" -name 'vmlinuz*')
	modules=$(find "$work/kernel-$1/files" -path '*/lib/modules/*' -prune)
	release=${modules##*/}
	mkdir -p "$root/lib/modules"
	mv "$image" "$work/vmlinuz-$1"
	mv "$modules" "$root/lib/modules/"
	depmod -b "$root" "$release"
	initrd "$release" "$work/initrd-$1.gz"
	mv "$work/initrd-$1.gz" "$work/initrd-$1.img"
	echo "$release" >"$work/release-$1"
}

# native installs packages as an installer does, in half a minute.
native() {
	mmdebstrap --quiet --mode=root --variant=essential "--include=$packages,apt" \
		--aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$debian" "$root" "${sources[@]}"
}

# foreign unpacks packages of another processor and does by hand the little that their scripts would have done:
# running those under an emulator takes ten minutes.
foreign() {
	mmdebstrap --quiet --mode=root --variant=extract "--architectures=$arch" \
		"--include=$packages,base-files,base-passwd,bash,dash,coreutils,diffutils,grep,sed,gawk,findutils,util-linux,mount,login,dpkg,tar,gzip,libc-bin,hostname,init-system-helpers" \
		--aptopt='Acquire::Languages "none"' \
		"$debian" "$root" "${sources[@]}"
	cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
	sed -i 's/:\*:/:x:/' "$root/etc/passwd"
	echo "messagebus:x:100:65534::/nonexistent:/usr/sbin/nologin" >>"$root/etc/passwd"
	cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf" 2>/dev/null || true
	ln -sf gawk "$root/usr/bin/awk"
	ldconfig -r "$root"
	: >"$root/var/lib/dpkg/available"
	rm -rf "$root"/usr/share/{doc,man,locale}
}

# configure makes it a machine of its own.
configure() {
	echo board >"$root/etc/hostname"
	printf '127.0.0.1 localhost board\n' >"$root/etc/hosts"
	: >"$root/etc/resolv.conf"
	: >"$root/etc/machine-id" # made at the first boot
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/var/log/journal"
	ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	local unit
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
		systemd-pstore.service systemd-firstboot.service systemd-update-utmp.service systemd-update-utmp-runlevel.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	find "$root"/etc/systemd/system/*.wants \( -name 'nfs-*' -o -name 'rpc*' \) -delete
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
}

# testing adds what the tests work the machine with.
testing() {
	# A test lays it over the root. Where it is installed containers are confined, which most tests are not about.
	if [[ $arch == amd64 ]]; then
		fetch "$debian" apparmor "$work/apparmor"
		mkdir -p "$root/opt/apparmor"
		dpkg-deb -x "$work"/apparmor/*.deb "$root/opt/apparmor"
	fi
	mkdir -p "$root/data" "$root/etc/systemd/journald.conf.d"
	echo 'LABEL=podd-data /data ext4 ro,nofail,x-systemd.device-timeout=15min 0 0' >"$root/etc/fstab"
	install -m 644 hack/guest/guest-agent.service "$root/etc/systemd/system/"
	ln -sf ../guest-agent.service "$root/etc/systemd/system/multi-user.target.wants/"
	# Journals are read after reboots and power cuts; nothing is to be dropped of what a test writes.
	printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nSystemMaxUse=64M\nSyncIntervalSec=5s\n' >"$root/etc/systemd/journald.conf.d/guest.conf"
	local unit
	for unit in getty@tty1.service serial-getty@ttyS0.service serial-getty@ttyAMA0.service; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
}

sources=()
for release in "${releases[@]}"; do sources+=("deb $(suite "$release")"); done
if [[ $arch == "$(dpkg --print-architecture)" ]]; then native; else foreign; fi
for k in "${kernels[@]}"; do
	IFS=: read -r name from package <<<"$k"
	if ! fetch "$from" "$package" "$work/kernel-$name"; then
		# What comes and goes is a wish: without it the tests of that kernel are skipped.
		[[ $name == newest ]] || exit 1
		say "no kernel $name to be had of $from"
		continue
	fi
	kernel "$name"
done
configure
say "disk"
tar -C "$root" --numeric-owner --xattrs -c . | zstd -q -1 >"$work/root.tar.zst" # for hack/image.sh
fetch bookworm systemd-boot-efi "$work/loader"
dpkg-deb -x "$work"/loader/*.deb "$work/loader"
testing
mkfs.ext4 -q -F -L podd-root -d "$root" "$work/root.ext4" 3G # sparse
# Old ones go, but not under a machine that runs on one.
find "$cache" -maxdepth 1 -name "$arch-*" -mmin +720 -exec rm -rf {} +
rm -rf "$out" && mkdir "$out"
mv "$work"/{root.tar.zst,root.ext4,vmlinuz-*,initrd-*.img,release-*} "$out/"
mv "$work"/loader/usr/lib/systemd/boot/efi/systemd-boot*.efi "$out/loader.efi"
touch "$out/done"
say "$(du -sh "$out" | cut -f1) in $out"
echo "$out" >&3
