#!/bin/bash
# Runs each fuzz target of the module for the given time: go can fuzz only one target of one package at once.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${1:-10s}

found=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	dir=$(go list -f '{{.Dir}}' "$package")
	targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/^func //' || true)
	for target in $targets; do
		found=$((found + 1))
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package"
	done
done
echo "fuzz: $found targets, $fuzztime each, nothing found"
