# podd. `make` alone lists the targets.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# nethttpomithttp2: the API is spoken over a unix socket, where HTTP/2 has nothing to give.
TAGS    := netgo,osusergo,runc_nocriu,nethttpomithttp2
BUILD   := @VERSION='$(VERSION)' hack/build.sh

# One set of flags for every go command: the linters, the tests and the build see the same code and share one build cache.
export CGO_ENABLED := 1
export GOFLAGS     := -trimpath -tags=$(TAGS)

# Architectures that `make deb` makes packages for, e.g. make deb DEBS=amd64
DEBS   ?= amd64 arm64 armhf
TARBALLS ?= amd64 arm64 armv7
NATIVE := $(shell dpkg --print-architecture 2>/dev/null)

FUZZTIME ?= 10s
# Passed on to the tests and to the bench, e.g. make test TESTFLAGS='-run TestExec' PKGS=./test/e2e/cli
TESTFLAGS ?=
PKGS      ?= ./...
BENCHFLAGS ?=
# Of make test-board: arm64 or armhf.
BOARD ?= arm64
# Of make test-fresh: a release of Debian, and what to run there; "help" is make alone.
RELEASE ?= bookworm
TARGETS ?= help build demo test test-conformance test-vm test-board image deb cross tarball lint bench fuzz
# Of make image.
ARCH    ?= arm64
OVERLAY ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test test-conformance test-vm test-board test-fresh bench lint fuzz cross image deb tarball deps

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: deps ## build the static binary bin/podd
	$(BUILD) native

demo: ## install what is missing, build, and show a two-container pod from drop to removal (root)
	@hack/deps.sh build demo
	@$(MAKE) --no-print-directory build
	@hack/demo.sh bin/podd

test: ## install what is missing, build, run all tests, also those against the real kernel (root)
	@hack/deps.sh build test
	@$(MAKE) --no-print-directory build
	@hack/test.sh bin/podd $(TESTFLAGS) $(PKGS)

test-conformance: ## compare podd's verdict with the API server's own code over 70,000 mutated objects (some minutes)
	@hack/deps.sh build
	@$(MAKE) --no-print-directory build
	@cd test/conformance && CGO_ENABLED=0 GOFLAGS= go build -o ../../bin/conformance . && ../../bin/conformance mutate \
		-podd ../../bin/podd -out ../../bin/conformance.report bases/*.yaml

test-vm: ## build, and run the tests in virtual machines with systemd, cgroup v2 and Debian's kernels (root)
	@hack/deps.sh build vm
	@$(MAKE) --no-print-directory build
	@hack/testvm.sh amd64 $(TESTFLAGS)

test-board: deps ## build for BOARD (arm64), and test it on an emulated board of 512 MB, with a report on memory (root)
	@hack/deps.sh build board cross
	@$(MAKE) --no-print-directory build
	$(BUILD) $(BOARD:armhf=armv7)
	@hack/testvm.sh $(BOARD) -v $(TESTFLAGS)

test-fresh: ## run each of TARGETS (all) on a bare Debian RELEASE (bookworm), as a newcomer would; takes hours (root)
	@hack/deps.sh fresh
	@hack/fresh.sh $(RELEASE) $(TARGETS) $(foreach v,TESTFLAGS PKGS FUZZTIME BENCHFLAGS BOARD ARCH DEBS TARBALLS,$(if $(filter command environment,$(origin $v)),'$v=$(subst ','\'',$(subst $$,$$$$,$($v)))'))

bench: build ## measure podd beside podman, crun and runc where they are on PATH (root)
	@hack/deps.sh build bench || echo "some of what the bench compares with may be left out"
	go run ./test/bench -podd bin/podd $(BENCHFLAGS)

lint: deps ## gofumpt, go vet, staticcheck, errorlint, shellcheck, govulncheck
	@hack/deps.sh build lint
	@hack/lint.sh

fuzz: deps ## run each fuzz target for FUZZTIME (10s)
	@hack/fuzz.sh $(FUZZTIME)

cross: deps ## build static arm64 and armv7 binaries into dist/ with Debian's cross compilers
	@hack/deps.sh cross
	$(BUILD) arm64 armv7

image: ## build dist/podd-ARCH.img, a disk that boots by UEFI into Debian with podd; OVERLAY is a folder laid over its root (root)
	@hack/deps.sh build image
	@$(MAKE) --no-print-directory deb DEBS=$(ARCH)
	@hack/image.sh $(ARCH) "$$(ls -t dist/podd_*_$(ARCH).deb | head -1)" $(OVERLAY)

deb: build ## build Debian packages of $(DEBS) into dist/; lintian judges them where it is installed
	@set -- $(filter-out $(NATIVE),$(DEBS)); [ $$# -eq 0 ] || $(MAKE) --no-print-directory cross
	@VERSION='$(VERSION)' hack/deb.sh $(DEBS)
	@! command -v lintian >/dev/null || lintian --allow-root --fail-on error,warning $(foreach a,$(DEBS),"$$(ls -t dist/podd_*_$(a).deb | head -1)")

tarball: build ## build archives with install.sh of $(TARBALLS) into dist/
	@set -- $(filter-out $(NATIVE),$(TARBALLS)); [ $$# -eq 0 ] || $(MAKE) --no-print-directory cross
	@VERSION='$(VERSION)' hack/tarball.sh $(TARBALLS)

deps:
	@hack/deps.sh build
