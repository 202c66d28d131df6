#!/bin/bash
# hack/man.sh DIR: the manual pages of all commands, made of the commands themselves (cmd/podd/man_test.go).
set -euo pipefail
mkdir -p "$1"
dir=$(realpath "$1")
cd "$(dirname "$0")/.."
go test -count=1 -ldflags "-X podd/cmd/podd.version=${VERSION:-unknown}" ./cmd/podd -run '^TestManPages$' -args -man "$dir" >/dev/null
