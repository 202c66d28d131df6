#!/bin/bash
# All linters over all of the tree; goes on after a complaint, so that one run shows every one of them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

tool() { go tool -modfile=hack/tools/go.mod "$@"; }
failed=0
complain() {
	echo "lint: $1 complains" >&2
	failed=1
}

formatted() {
	local files
	files=$(git ls-files -co --exclude-standard '*.go' | xargs -r ls 2>/dev/null) # ls drops what is deleted but not committed
	# shellcheck disable=SC2086 # one word per file is meant
	files=$(tool gofumpt -l $files) || return 1
	[[ -z $files ]] && return 0
	echo "not formatted by gofumpt:" >&2
	echo "$files" >&2
	return 1
}

# The database of govulncheck is on the network; a machine without it lints all the same.
vulnerabilities() {
	if ! timeout 20 curl -sSfo /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; then
		echo "lint: govulncheck skipped: https://vuln.go.dev is not reachable from here" >&2
		return 0
	fi
	tool govulncheck ./...
}

shell_scripts() {
	git ls-files -co --exclude-standard 'hack/*.sh' .ci/run 'board/packaging/*.sh' board/packaging/busybox-image board/packaging/debian/p* | xargs -r shellcheck
}

formatted || complain gofumpt
go vet ./... || complain "go vet"
tool staticcheck ./... || complain staticcheck
tool go-errorlint ./... || complain errorlint
shell_scripts || complain shellcheck
vulnerabilities || complain govulncheck
[[ $failed -eq 0 ]] && echo "lint: clean"
exit $failed
