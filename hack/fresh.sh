#!/bin/bash
# hack/fresh.sh RELEASE TARGET… [VARIABLE=VALUE…]: runs each target of the Makefile on a bare Debian of that release, as a
# newcomer would, and prints what became of it. The target "help" is make alone. See docs/testing.md.
#
# The root is Debian's minbase and make, without /etc/hosts, /etc/machine-id or Go. Each target gets an untouched one, so
# that what one installs hides nothing from the next, and in it a clone of what is committed here. It runs in mount, PID,
# IPC and cgroup namespaces of its own; the network is the machine's. When it ends, all that it started has ended, too.
#
# Kept between runs, below .cache/fresh: the root as an archive (remove it for today's packages), what apt, Go's module
# proxy and Go's compiler have brought, and the logs. `build` never sees what is kept of Go, so that it shows that nothing
# of it is needed; COLD=yes shows it for all. GO=machine lends all of them the machine's own Go and what it has compiled:
# then only packages can be missing. How the machine reaches mirrors and proxies is told to the root at run time.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/fresh

say() { echo "fresh $release: $*" >&2; }

# hierarchies prints the machine's mounts of cgroups: type, options, folder.
hierarchies() { awk '($3 == "cgroup" || $3 == "cgroup2") && $2 ~ "^/sys/fs/cgroup" { print $3, $4, $2 }' /proc/mounts; }

# --- The first process of the namespaces -----------------------------------------------------------------------------

mount_cgroups() { # ROOT: the cgroup that this is in is the root of all that can be seen there
	local root=$1 kind options folder hierarchy controller
	# Read before anything is mounted over it.
	hierarchies >"$root/run/hierarchies"
	[[ -e /sys/fs/cgroup/cgroup.controllers ]] || mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	while read -r kind options folder; do
		mkdir -p "$root$folder"
		if [[ $kind == cgroup ]]; then
			hierarchy=$(tr , '\n' <<<"$options" | grep -vxE 'r[wo]|no.*|relatime|xattr|release_agent=.*' | paste -sd,)
			mount -t cgroup -o "$hierarchy" cgroup "$root$folder"
			continue
		fi
		mount -t cgroup2 cgroup2 "$root$folder"
		[[ -s $root$folder/cgroup.controllers ]] || continue
		# Version 2 hands controllers down only from a cgroup without processes.
		mkdir "$root$folder/inside"
		echo 0 >"$root$folder/inside/cgroup.procs"
		for controller in $(<"$root$folder/cgroup.controllers"); do
			echo "+$controller" >"$root$folder/cgroup.subtree_control" || true
		done
	done <"$root/run/hierarchies"
	rm "$root/run/hierarchies"
}

# inside makes ROOT what it would be after a boot, binds FROM:TO into it, and runs the command there.
inside() { # ROOT [FROM:TO…] -- COMMAND…
	local root=$1
	shift
	mount --make-rprivate /
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	[[ ! -d /sys/kernel/security ]] || mount --rbind /sys/kernel/security "$root/sys/kernel/security"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/dev/shm"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	mount_cgroups "$root"
	while [[ $1 != -- ]]; do
		mkdir -p "$root${1#*:}"
		mount --bind "${1%%:*}" "$root${1#*:}"
		shift
	done
	shift
	mkdir "$root/outside"
	cd "$root"
	pivot_root . outside
	cd /root/podd
	umount -l /outside
	rmdir /outside
	# Not exec: this shell is the namespace's init, and takes the exit status of orphans.
	"$@"
}

if [[ $1 == --inside ]]; then
	shift
	inside "$@"
	exit
fi

# --- Outside ---------------------------------------------------------------------------------------------------------

release=${1:?hack/fresh.sh RELEASE TARGET…: bookworm or trixie}
shift
targets=() variables=()
for word in "$@"; do
	if [[ $word == *=* ]]; then variables+=("$word"); else targets+=("$word"); fi
done
[[ $(id -u) -eq 0 ]] || { echo "make test-fresh needs root, to make file systems and namespaces" >&2; exit 1; }
work=$cache/run-$$ log=$cache/log/$release group=podd-fresh-$$ child=
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# source_of prints the line of a suite: from where this machine has that of its own release, or Debian's own server.
source_of() { # SUITE
	local own uri=""
	# shellcheck source=/dev/null
	own=$(. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME:-}") || true
	# shellcheck disable=SC2016 # apt fills it in
	[[ -z $own ]] || uri=$(apt-get indextargets --format '$(REPO_URI)' "Suite: ${1/$release/$own}" "Component: main" 2>/dev/null | head -1)
	case $1 in
	*-security) uri=${uri:-http://deb.debian.org/debian-security} ;;
	*) uri=${uri:-http://deb.debian.org/debian} ;;
	esac
	echo "deb ${uri%/} $1 main"
}

# ways_of_apt prints how this machine's apt reaches the network.
ways_of_apt() { apt-config dump | grep -iE '^Acquire::(([a-z]+::)?(proxy|timeout|verify)|check-|retries)' | grep -v ' "";$' || true; }

# base makes the archive of the bare root.
base() {
	local key suite sources=()
	key=$(declare -f base source_of | sha256sum)
	archive=$cache/$release-${key:0:12}.tar
	[[ ! -e $archive ]] || return 0
	say "makes a bare root"
	rm -f "$cache/$release"-*.tar
	for suite in "$release" "$release-updates" "$release-security"; do sources+=("$(source_of "$suite")"); done
	ways_of_apt >"$cache/apt.conf"
	mmdebstrap --quiet --mode=root --variant=minbase --include=make --aptopt="$cache/apt.conf" --format=tar \
		"$release" - "${sources[@]}" >"$archive.part"
	mv "$archive.part" "$archive"
}

# join puts this process into cgroups of its own, with which its namespace then begins.
join() {
	local folder file
	while read -r _ _ folder; do
		mkdir -p "$folder/$group"
		for file in cpuset.cpus cpuset.mems; do # of version 1: a cpuset takes no process before it has both
			if [[ $folder == */cpuset* ]]; then cat "$folder/$file" >"$folder/$group/$file"; fi
		done
		echo 0 >"$folder/$group/cgroup.procs"
	done < <(hierarchies)
}

# cgroups prints what there is of this run's, deepest first.
cgroups() { hierarchies | while read -r _ _ folder; do find "$folder/$group" -depth -type d 2>/dev/null || true; done; }

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$? end=$((SECONDS + 20))
	trap - EXIT
	# The first process of the namespaces is killed with its parent, and all others with it.
	if [[ -n $child ]] && kill -KILL "$child" 2>/dev/null; then wait "$child" 2>/dev/null || true; fi
	until cgroups | xargs -r rmdir 2>/dev/null || ((SECONDS > end)); do sleep 0.1; done
	rm -rf --one-file-system "$work"
	exit "$status"
}

# own_authorities puts into the folder the certificates that this machine trusts beside Debian's: a mirror's or a proxy's.
# They count where ca-certificates is installed, as Debian's do.
own_authorities() { # FOLDER
	awk -v dir="$1" '
		/BEGIN CERTIFICATE/ { body = "" }
		{ body = body $0 "\n" }
		/END CERTIFICATE/ {
			if (FILENAME ~ "^/usr/share/") debian[body] = 1
			else if (!(body in debian)) { file = dir "/machine-" ++n ".crt"; printf "%s", body >file; close(file) }
		}' /usr/share/ca-certificates/*/*.crt "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" 2>/dev/null || true
}

# environment is what a newcomer has who has set up the machine's way to the network.
environment() {
	local name
	printf '%s\n' HOME=/root "PATH=$path" "TERM=${TERM:-dumb}"
	env | grep -iE '^(https?|no)_proxy=' || true
	command -v go >/dev/null || return 0
	for name in GOPROXY GOPRIVATE GONOPROXY GONOSUMDB GOSUMDB GOINSECURE; do
		echo "$name=$(cd / && go env "$name")"
	done | grep -v '=$' || true
}

# prepare makes a root that nobody has used, with the sources in it.
prepare() {
	rm -rf --one-file-system "$work"
	mkdir -p "$work/root"
	tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='*' -xf "$archive"
	rm -f "$work/root"/etc/{hosts,machine-id}
	cp -L /etc/resolv.conf "$work/root/etc/resolv.conf"
	ways_of_apt >"$work/root/etc/apt/apt.conf.d/90machine"
	echo force-unsafe-io >"$work/root/etc/dpkg/dpkg.cfg.d/fresh" # nothing of this has to last
	cp -r /etc/apt/auth.conf* "$work/root/etc/apt/" 2>/dev/null || true
	mkdir -p "$work/root/usr/local/share/ca-certificates"
	own_authorities "$work/root/usr/local/share/ca-certificates"
	git clone -q --no-hardlinks . "$work/root/root/podd"
}

# run runs one target and prints its line of the table.
run() { # TARGET
	local target=$1 begun=$SECONDS status=0 verdict=ok left words=() binds=("$cache/archives-$release:/var/cache/apt/archives")
	local command=(make "$target" "${variables[@]}")
	[[ $target != help ]] || command=(make)
	mapfile -t words < <(environment)
	if [[ ${GO:-} == machine ]]; then
		binds+=("$(go env GOROOT):/opt/go" "$(go env GOMODCACHE):/root/go/pkg/mod" "$(go env GOCACHE):/root/.cache/go-build")
		words+=("PATH=/opt/go/bin:$path")
	elif [[ $target != build && ${COLD:-} != yes ]]; then
		binds+=("$cache/mod:/root/go/pkg/mod" "$cache/compiled:/root/.cache/go-build")
	fi
	prepare
	( # a process of its own, for it joins cgroups
		join
		exec unshare --mount --pid --ipc --cgroup --uts --fork --kill-child \
			hack/fresh.sh --inside "$work/root" "${binds[@]}" -- env -i "${words[@]}" "${command[@]}"
	) </dev/null >"$log/$target.log" 2>&1 9>&- &
	child=$!
	wait "$child" || status=$?
	child=
	left=$(cgroups | grep "/$group/" | grep -vc '/inside$' || true)
	if [[ $status -ne 0 ]]; then
		verdict="fails ($status)"
		tail -n 12 "$log/$target.log" | sed 's/^/    /' >&2
	elif [[ $left -ne 0 ]]; then
		verdict="leaves $left cgroups" status=1
	fi
	printf '%-17s %-18s %5d s  %s\n' "$target" "$verdict" $((SECONDS - begun)) "${log#"$PWD/"}/$target.log"
	[[ $status -eq 0 ]] || failed=1
	cgroups | xargs -r rmdir 2>/dev/null || true
}

# All of it is read before it begins: a run takes long, and this file may change meanwhile.
main() {
	mkdir -p "$log" "$cache"/{mod,compiled,"archives-$release"}
	exec 9>"$cache/$release.lock"
	flock -n 9 || { say "another run of this release goes on in this tree"; exit 1; }
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	base
	git diff --quiet HEAD || say "what is not committed is left out"
	failed=0
	printf '%-17s %-18s %7s  %s\n' target verdict seconds log
	for target in "${targets[@]}"; do run "$target"; done
	exit $failed
}
main
