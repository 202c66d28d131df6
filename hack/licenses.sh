#!/bin/bash
# The licences of podd and of all that is linked into it, one after the other, as they ask for.
set -euo pipefail
cd "$(dirname "$0")/.."
printf '==== podd\n\n'
cat LICENSE
echo
CGO_ENABLED=1 go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/podd | sort -u |
	while read -r path version dir; do
		printf '==== %s %s\n\n' "$path" "$version"
		find "$dir" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) -print0 | sort -z | xargs -0 -r cat
		echo
	done
printf '==== the Go standard library\n\n'
cat "$(go env GOROOT)/LICENSE"
printf '\n==== musl\n\n'
cat /usr/share/doc/musl-dev/copyright
