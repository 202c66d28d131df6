#!/bin/bash
# hack/testvm.sh ARCH [go test flags]: boots virtual machines and runs the tests in them; see docs/testing.md. Wants podd
# built for ARCH. What the machines need is put on a second disk: the agent, packages, test binaries, images.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:?hack/testvm.sh ARCH: amd64, arm64 or armhf}
shift
mkdir -p .cache/vm
data=$(mktemp -d "$PWD/.cache/vm/data.XXXXXX")
trap 'rm -rf "$data"' EXIT
mkdir "$data"/{bin,images,tests}

inside() { # PROGRAM PACKAGE [GOARCH]: builds what runs in the machine
	local goarch=${3:-${arch/armhf/arm}}
	CGO_ENABLED=0 GOARCH=$goarch go build -o "$data/$1" "$2"
}

inside agent ./test/vm/agent
# An image is made in the machine, of its own busybox.
inside bin/mkimage ./test/mkimage
echo whole >"$data/second"

# The package, and the next version of it to upgrade to.
for version in 1.0 99.0; do VERSION=$version hack/deb.sh "$arch"; done
mv "dist/podd_1.0_$arch.deb" "$data/podd.deb"
mv "dist/podd_99.0_$arch.deb" "$data/podd-next.deb"

if [[ $arch == amd64 ]]; then
	# The programs that the tests of the binary build by themselves where there is Go.
	for program in standin answerer; do inside "bin/$program" "./test/$program"; done
	inside bin/answerer-386 ./test/answerer 386
	inside bin/registry ./test/vm/registry
	cp bin/podd "$data/bin/podd"
	for package in test/e2e/{lifecycle,storage,security,cli} cgroups images netns runtime/container runtime/volume; do
		mkdir -p "$data/tests/$package"
		go test -c -o "$data/tests/$package/run.test" "./$package"
		[[ ! -d $package/testdata ]] || cp -r "$package/testdata" "$data/tests/$package/"
	done
fi

# What looks around in containers, by both ABIs of the processor.
if [[ $arch == arm64 ]]; then
	inside bin/answerer ./test/answerer
	inside bin/answerer-arm ./test/answerer arm
fi

image=
if [[ $arch == arm64 ]]; then
	overlay=$data/overlay
	install -D -m 644 hack/guest/first.yaml "$overlay/etc/podd/manifests/first.yaml"
	install -D -m 644 -t "$overlay/etc/systemd/system" hack/guest/guest-agent.service
	mkdir "$overlay/etc/systemd/system/multi-user.target.wants"
	ln -s ../guest-agent.service "$overlay/etc/systemd/system/multi-user.target.wants/"
	echo 'LABEL=podd-data /data ext4 ro,nofail,x-systemd.device-timeout=15min 0 0' >"$overlay/etc/fstab"
	mkdir "$overlay/data"
	hack/image.sh "$arch" "$data/podd.deb" "$overlay"
	image=$PWD/dist/podd-$arch.img
	rm -rf "$overlay"
fi

PODD_VM_IMAGE=$image PODD_VM_ARCH=$arch PODD_VM_DATA=$data go test -count=1 -parallel 2 -timeout 60m ./test/vm "$@"
