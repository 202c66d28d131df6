#!/bin/bash
# hack/image.sh ARCH DEB [FOLDER]: dist/podd-ARCH.img, a disk that boots by UEFI into Debian 12 with podd's package. What is
# in FOLDER is laid over its root: pods in etc/podd/manifests, archives in etc/podd/images, keys, network.
#
# Two partitions: the firmware's, with systemd-boot, the kernel and a small initrd, and the root. No loop device is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:?hack/image.sh ARCH: amd64 or arm64} deb=${2:?hack/image.sh ARCH DEB} overlay=${3:-}
case $arch in
amd64) loader=BOOTX64.EFI console=ttyS0 ;;
arm64) loader=BOOTAA64.EFI console=ttyAMA0 ;;
*) echo "hack/image.sh: no UEFI image for '$arch'; it knows: amd64 arm64" >&2; exit 2 ;;
esac
guest=$(hack/guest.sh "$arch")
work=$(mktemp -d "$PWD/.cache/image.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"

zstd -qdc "$guest/root.tar.zst" | tar -C "$root" --numeric-owner --xattrs -x
# Registered, not configured: the scripts are of another processor. What they would do at the installation, boot does.
dpkg --root="$root" --force-architecture --force-depends --unpack "$deb" >/dev/null
ln -sf /lib/systemd/system/podd.service "$root/etc/systemd/system/multi-user.target.wants/podd.service"
if [[ -n $overlay ]]; then cp -a --no-preserve=ownership "$overlay/." "$root/"; fi

megabyte=1048576
esp=96 size=$((($(du -sm "$root" | cut -f1) * 3 / 2) + 512))
mkfs.ext4 -q -F -L podd-root -d "$root" "$work/root.ext4" "${size}M"

truncate -s "${esp}M" "$work/esp"
mkfs.vfat -F 32 -n PODD-BOOT "$work/esp" >/dev/null
printf 'default podd\ntimeout 0\n' >"$work/loader.conf"
printf 'title podd\nlinux /vmlinuz\ninitrd /initrd\noptions root=LABEL=podd-root console=tty0 console=%s panic=10 quiet\n' "$console" >"$work/podd.conf"
export MTOOLS_SKIP_CHECK=1
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT ::/loader ::/loader/entries
mcopy -i "$work/esp" "$guest/loader.efi" "::/EFI/BOOT/$loader"
mcopy -i "$work/esp" "$guest/vmlinuz-stable" ::/vmlinuz
mcopy -i "$work/esp" "$guest/initrd-stable.img" ::/initrd
mcopy -i "$work/esp" "$work/loader.conf" ::/loader/loader.conf
mcopy -i "$work/esp" "$work/podd.conf" ::/loader/entries/podd.conf

image=dist/podd-$arch.img
rm -f "$image"
truncate -s "$((esp + size + 2))M" "$image"
sfdisk -q "$image" <<-END
	label: gpt
	start=1MiB, size=${esp}MiB, type=U, name=boot
	start=$((esp + 1))MiB, size=${size}MiB, type=L, name=root
END
dd if="$work/esp" of="$image" bs=$megabyte seek=1 conv=notrunc,sparse status=none
dd if="$work/root.ext4" of="$image" bs=$megabyte seek=$((esp + 1)) conv=notrunc,sparse status=none
echo "$image $(du -h --apparent-size "$image" | cut -f1), $(du -h "$image" | cut -f1) used"
