#!/bin/bash
# hack/testvm.sh [go test flags]: boots virtual machines and runs the tests in them; see docs/testing.md. Wants bin/podd
# and its package built. What the machines need is put on a second disk: the agent, packages, test binaries, images.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$PWD/.cache/vm/data
rm -rf "$data"
mkdir -p "$data/tests" "$data/images"

CGO_ENABLED=0 go build -o "$data/agent" ./test/vm/agent
CGO_ENABLED=0 go build -o "$data/standin" ./test/standin
cp bin/podd "$data/podd"
for package in test cgroups netns runtime/container; do
	mkdir -p "$data/tests/$package"
	go test -c -o "$data/tests/$package/run.test" "./$package"
	[[ ! -d $package/testdata ]] || cp -r "$package/testdata" "$data/tests/$package/"
done

# The package, and the next version of it to upgrade to.
VERSION=1.0 hack/deb.sh amd64 >/dev/null && mv dist/podd_1.0_amd64.deb "$data/podd.deb"
VERSION=99.0 hack/deb.sh amd64 >/dev/null && mv dist/podd_99.0_amd64.deb "$data/podd-next.deb"

echo whole >"$data/second"
go run ./test/mkimage -o "$data/images/busybox.tar" -name busybox
go run ./test/mkimage -o "$data/images/second.tar" -name podd.test/second:1 -file "$data/second:/etc/second"

PODD_VM_DATA=$data exec go test -count=1 -timeout 40m "$@" ./test/vm
