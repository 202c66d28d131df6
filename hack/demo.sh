#!/bin/bash
# hack/demo.sh PODD: a two-container pod from drop to removal, in network and mount namespaces and in a cgroup of its
# own, on folders of its own. Whatever happens, it leaves nothing behind. Needs root.
set -euo pipefail
podd=$(realpath "$1")
cd "$(dirname "$0")/.."

if [[ $(id -u) -ne 0 ]]; then
	echo "make demo needs root, for namespaces, mounts and cgroups" >&2
	exit 1
fi
if [[ ${PODD_DEMO_INSIDE:-} != yes ]]; then
	PODD_DEMO_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$podd"
fi

dir=$(mktemp -d /var/tmp/podd-demo-XXXXXX)
daemon=
cgroups=()
group=/podd-demo-$$ # the same path in every hierarchy

clean_up() {
	local status=$?
	trap - EXIT
	if [[ -n $daemon ]] && kill "$daemon" 2>/dev/null; then wait "$daemon" || true; fi
	# All of this is gone already when the demo went well.
	for cgroup in "${cgroups[@]}"; do
		find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null
	done | xargs -r kill -9 2>/dev/null || true
	for cgroup in "${cgroups[@]}"; do
		find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	umount -R "$dir/run" 2>/dev/null || true
	if [[ $status -ne 0 && -s $dir/podd.log ]]; then
		echo "the demo failed; podd said:" >&2
		cat "$dir/podd.log" >&2
	fi
	rm -rf --one-file-system "$dir" || true
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# A cgroup of the demo's own in each hierarchy, and in it a leaf for the daemon: with version 2 a cgroup that holds
# processes cannot hand controllers down (man 7 cgroups).
make_cgroups() {
	local mount
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		cgroups=("/sys/fs/cgroup$group")
	else
		while read -r mount; do cgroups+=("$mount$group"); done < <(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts)
	fi
	for cgroup in "${cgroups[@]}"; do
		mkdir -p "$cgroup/daemon"
		for file in cpuset.cpus cpuset.mems; do # of version 1: a cpuset takes no process before it has both
			if [[ $cgroup == */cpuset/* ]]; then
				cat "${cgroup%"$group"}/$file" >"$cgroup/$file"
				cat "$cgroup/$file" >"$cgroup/daemon/$file"
			fi
		done
	done
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
	printf '$ %s\n' "$*"
	"$@"
}
# podd's client; its daemon is not at the usual place.
podd() {
	local command=$1
	shift
	"$podd" "$command" --socket "$dir/run/podd.sock" "$@"
}
# The state of the pod's containers, as get pods shows it.
pods_show() { podd get pods 2>/dev/null | grep -Eq "$1"; }
until_true() { # DESCRIPTION COMMAND…
	local description=$1 end=$((SECONDS + 30))
	shift
	until "$@"; do
		if ((SECONDS >= end)); then
			echo "$description: not within 30 s" >&2
			return 1
		fi
		sleep 0.05
	done
}

start_daemon() {
	(
		for cgroup in "${cgroups[@]}"; do echo 0 >"$cgroup/daemon/cgroup.procs"; done
		exec "$podd" run --manifests "$dir/manifests" --images "$dir/images" --root "$dir/lib" --run-dir "$dir/run" \
			--socket "$dir/run/podd.sock" --log-dir "$dir/log" --node-name demo --cgroup-root "$group"
	) >"$dir/podd.log" 2>&1 &
	daemon=$!
	until_true "the daemon answers" podd get pods >/dev/null 2>&1
}

ip link set lo up
mkdir "$dir"/{manifests,images,lib,run,log}
mount -t tmpfs podd-demo "$dir/run"
make_cgroups

say "An image, made on the spot from Debian's busybox:"
show go run ./test/mkimage -o "$dir/images/busybox.tar" -name busybox

say "The daemon, watching an empty folder:"
start_daemon
show podd get pods

say "A pod of two containers, dropped into the folder:"
cat >"$dir/hello.yaml" <<'EOF'
apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: web
    image: busybox
    command: [sh, -c]
    args: ["echo \"hello from $HOSTNAME\" >/tmp/index.html; exec httpd -f -v -p 8080 -h /tmp"]
  - name: sidecar
    image: busybox
    command: [sh, -c]
    args: ["trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo \"sidecar counts $n\"; sleep 1 & wait $!; done"]
EOF
cat "$dir/hello.yaml"
mv "$dir/hello.yaml" "$dir/manifests/"
until_true "both containers run" pods_show '^hello +2/2 +Running'

say "Both containers run, with an address of their own:"
show podd get pods -o wide
ip=$(podd get pod hello -o json | sed -n 's/.*"podIP": *"\([0-9.]*\)".*/\1/p' | head -1)
say "The pod answers there:"
show curl -sS --retry 5 --retry-connrefused "http://$ip:8080/"

say "What its containers wrote:"
show podd logs hello -c web
show podd logs hello -c sidecar

say "A command inside one container reaches the other over their shared localhost:"
show podd exec hello -c sidecar -- wget -qO- http://localhost:8080/

say "What happened:"
show podd get events

say "The file goes, and the pod with it:"
show rm "$dir/manifests/hello.yaml"
pod_gone() { ! pods_show '^hello '; }
until_true "the pod is gone" pod_gone
show podd get pods

say "podd stops, and nothing is left: no link but lo, no mount, no cgroup."
kill "$daemon"
wait "$daemon"
daemon=
show ip -brief link
if grep " $dir/" /proc/self/mounts | grep -v " $dir/run "; then exit 1; fi
if find "${cgroups[@]}" -mindepth 1 -type d -not -name daemon | grep .; then exit 1; fi
