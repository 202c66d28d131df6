package vm

import (
	"fmt"
	"strings"
)

// install installs podd from the package, as on a board, and gives it the image of the tests.
func (vm *VM) install() {
	vm.t.Helper()
	vm.sh(`mkdir -p /etc/podd/images /root/images
		/data/bin/mkimage -o /etc/podd/images/busybox.tar -name busybox
		/data/bin/mkimage -o /root/images/second.tar -name podd.test/second:1 -file /data/second:/etc/second`)
	vm.sh("dpkg -i /data/podd.deb")
	vm.until("systemctl is-active --quiet podd")
}

// drop puts a pod into the folder of manifests, under its name.
func (vm *VM) drop(name, manifest string) {
	vm.t.Helper()
	vm.sh(fmt.Sprintf("cd /etc/podd/manifests; cat >.%s <<'END'\n%s\nEND\nmv .%s %s.yaml", name, manifest, name, name))
}

// one writes a pod of one container that runs a script of the shell; more are lines of the container, such as resources.
func one(name, script string, more ...string) string {
	return pod(name, "Always", script, more...)
}

func pod(name, restart, script string, more ...string) string {
	quoted := "'" + strings.ReplaceAll(script, "'", "''") + "'"
	lines := []string{
		"apiVersion: v1", "kind: Pod", "metadata: {name: " + name + "}", "spec:", "  restartPolicy: " + restart,
		"  terminationGracePeriodSeconds: 10", "  containers:", "  - name: main", "    image: busybox",
		"    imagePullPolicy: Never", "    command: [sh, -c, " + quoted + "]",
	}
	for _, line := range more {
		lines = append(lines, "    "+line)
	}
	return strings.Join(lines, "\n")
}

// counting writes 1, 2, 3 … and says goodbye when it is told to end.
const counting = `trap "echo bye; exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done`

// forever does nothing until it is told to end.
const forever = `trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done`

// ready waits until the pods are Running and Ready.
func (vm *VM) ready(pods ...string) {
	vm.t.Helper()
	for _, name := range pods {
		vm.until(fmt.Sprintf(`podd get pod %s -o json | grep -q '"type": *"Ready"' && podd get pod %s --no-headers | grep -Eq ' ([1-9][0-9]*)/\1 +Running '`, name, name))
	}
}

// pids are the processes that podd started in its pods, those that they started themselves left out.
func (vm *VM) pids() string {
	vm.t.Helper()
	return vm.sh(`find /sys/fs/cgroup/podd.slice/podd-pods.service/kubepods -name cgroup.procs -exec cat {} + 2>/dev/null | sort -n | while read -r p; do
		parent=$(cut -d' ' -f4 /proc/$p/stat 2>/dev/null) || continue
		grep -q kubepods /proc/$parent/cgroup 2>/dev/null || echo $p
	done`)
}

// processOf is the first process of a pod's only container, which has the pod's name as its host's.
func (vm *VM) processOf(pod string) string {
	vm.t.Helper()
	return vm.until(fmt.Sprintf(`for p in $(find /sys/fs/cgroup/podd.slice/podd-pods.service/kubepods -name cgroup.procs -exec cat {} +); do
		if [ "$(nsenter -t $p -u hostname)" = %s ]; then echo $p; exit; fi
	done; exit 1`, pod))
}

// counts checks that a log has 1, 2, 3 … without a gap and without a line twice, and that it still grows.
func (vm *VM) counts(pod string) {
	vm.t.Helper()
	check := fmt.Sprintf(`podd logs %s | awk '$1 != NR {print "line " NR " is " $0; bad=1; exit 1} END {if (!bad) print NR}'`, pod)
	before := vm.sh(check)
	vm.until(fmt.Sprintf(`[ "$(%s)" -gt %s ]`, check, before))
}

// daemon is the process number of podd.
func (vm *VM) daemon() string {
	vm.t.Helper()
	return vm.sh("systemctl show -P MainPID podd")
}

// answers waits until a podd other than the one of that process number answers.
func (vm *VM) answers(than string) {
	vm.t.Helper()
	vm.until(fmt.Sprintf(`now=$(systemctl show -P MainPID podd); [ "$now" != 0 ] && [ "$now" != %s ] && podd get pods >/dev/null`, than))
}
