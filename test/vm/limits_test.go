package vm

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// What a pod may use, as the kernel has it on cgroup version 2, and what happens to a container that wants more; then how
// containers end that an earlier podd started.
func TestLimits(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{})
	vm.boot()
	vm.install()
	t.Run("doctor", func(t *testing.T) { vm.on(t).doctor() })
	t.Run("files", func(t *testing.T) { vm.on(t).limitFiles() })
	t.Run("oom", func(t *testing.T) { vm.on(t).oom() })
	t.Run("pids", func(t *testing.T) { vm.on(t).pidsLimit() })
	t.Run("huge pages", func(t *testing.T) { vm.on(t).hugePages() })
	t.Run("devices", func(t *testing.T) { vm.on(t).portIsPluggedInAgain() })
	t.Run("exposure", func(t *testing.T) { vm.on(t).exposure() })
	t.Run("journal", func(t *testing.T) { vm.on(t).journal() })
	t.Run("adopted exits", func(t *testing.T) { vm.on(t).adoptedExits(false) })
}

// limitFiles reads the files of a container's and its pod's cgroup.
func (vm *VM) limitFiles() {
	vm.drop("limited", one("limited", forever, "resources:", "  requests: {cpu: 100m, memory: 16Mi}", "  limits: {cpu: 500m, memory: 32Mi}"))
	vm.drop("plain", one("plain", forever))
	vm.ready("limited", "plain")
	// The container sees its own cgroup by its process.
	dir := vm.cgroupOf("limited")
	for _, c := range []struct{ file, want string }{
		{"memory.max", "33554432"},
		{"memory.oom.group", "1"},
		{"cpu.max", "50000 100000"},
		// KEP-2254: 1 + ((shares - 2) * 9999) / 262142 or, since runc 1.3, the newer curve of KEP-5233; never the default.
		{"../memory.max", "33554432"},
		{"../cpu.max", "50000 100000"},
	} {
		if got := vm.sh("cat " + dir + "/" + c.file); got != c.want {
			vm.t.Errorf("%s is %q, want %q", c.file, got, c.want)
		}
	}
	vm.ownCgroup()
	if weight := vm.sh("cat " + dir + "/cpu.weight"); weight == "100" || weight == "" {
		vm.t.Errorf("cpu.weight of a container with a request is %q", weight)
	}
	if least := vm.sh("cat " + vm.cgroupOf("plain") + "/cpu.weight"); least != "1" {
		vm.t.Errorf("cpu.weight of a container without a request is %q", least)
	}
	if top := vm.sh("cat " + dir + "/../../../cgroup.controllers"); !strings.Contains(top, "memory") || !strings.Contains(top, "pids") {
		vm.t.Errorf("the pods' controllers are %q", top)
	}
}

// ownCgroup: a container's own cgroup is the root that it sees, and it sees no other.
func (vm *VM) ownCgroup() {
	vm.t.Helper()
	if got := vm.sh("podd exec limited -- cat /sys/fs/cgroup/memory.max /proc/self/cgroup"); got != "33554432\n0::/" {
		vm.t.Errorf("a container sees %q of its limit and cgroup", got)
	}
	if got := vm.sh("podd exec limited -- ls /sys/fs/cgroup"); strings.Contains(got, ".slice") {
		vm.t.Errorf("a container sees the machine's cgroups:\n%s", got)
	}
}

// cgroupOf is the folder of a pod's only container.
func (vm *VM) cgroupOf(pod string) string {
	vm.t.Helper()
	return vm.sh("echo /sys/fs/cgroup$(cut -d: -f3 /proc/" + vm.processOf(pod) + "/cgroup)")
}

// oom fills a container's memory; all of it dies, is told as OOMKilled, and nothing else is hurt.
func (vm *VM) oom() {
	fill := `sleep 1000 & tail -c 200m /dev/zero >/dev/null; echo tail ended; sleep 1000`
	vm.drop("greedy", pod("greedy", "Never", fill, "resources: {limits: {memory: 24Mi}}"))
	vm.until(`podd get pod greedy -o json | grep -q OOMKilled`)
	said := vm.sh(`podd get pod greedy -o json`)
	if !strings.Contains(strings.ReplaceAll(said, " ", ""), `"exitCode":137`) {
		vm.t.Errorf("the exit code is not 137:\n%s", said)
	}
	if log := vm.sh("podd logs greedy"); strings.Contains(log, "tail ended") {
		vm.t.Error("memory.oom.group did not end the whole container")
	}
	vm.ready("limited", "plain")
	vm.sh("systemctl is-active podd podd-pods")
}

// pidsLimit sets podPidsLimit and forks until the kernel refuses.
func (vm *VM) pidsLimit() {
	vm.sh("sed -i 's/^#* *podPidsLimit:.*/podPidsLimit: 20/' /etc/podd/config.yaml; grep -q '^podPidsLimit: 20' /etc/podd/config.yaml; systemctl restart podd")
	vm.drop("forker", one("forker", `(n=0; while [ $n -lt 40 ]; do sleep 1000 & n=$((n+1)); done; echo all); echo that was all; sleep 1000`))
	vm.until(`podd logs forker | grep -q "that was all"`)
	if log := vm.sh("podd logs forker"); !strings.Contains(strings.ToLower(log), "fork") || strings.HasPrefix(log, "all") {
		vm.t.Errorf("no fork was refused:\n%s", log)
	}
	if limit := vm.sh("cat " + vm.cgroupOf("forker") + "/../pids.max"); limit != "20" {
		vm.t.Errorf("pids.max of the pod is %s", limit)
	}
	vm.sh("rm /etc/podd/manifests/forker.yaml")
	vm.ready("limited", "plain")
}

// hugePages sets pages aside; a container gets as many as it asked for and not one more, though the machine has more, and one
// that asked for none gets none. systemd, which knows nothing of their controller, leaves it as podd has set it.
func (vm *VM) hugePages() {
	vm.sh("sysctl -q vm.nr_hugepages=16; [ $(cat /proc/sys/vm/nr_hugepages) = 16 ]; systemctl restart podd")
	const volume = "spec:\n  volumes: [{name: probe, hostPath: {path: /data/bin}}]"
	tries := func(name string, more ...string) string {
		more = append(more, "volumeMounts: [{name: probe, mountPath: /probe}]")
		return strings.Replace(one(name, "/probe/answerer hugepages 8; "+forever, more...), "spec:", volume, 1)
	}
	vm.drop("pages", tries("pages", "resources: {limits: {cpu: 100m, memory: 64Mi, hugepages-2Mi: 6Mi}}"))
	vm.drop("none", tries("none", "resources: {limits: {cpu: 100m, memory: 64Mi}}"))
	vm.ready("pages", "none")
	for name, want := range map[string]string{"pages": "3 pages, then ENOMEM", "none": "0 pages, then ENOMEM"} {
		if got := vm.until("podd logs " + name + " | grep pages"); got != want {
			vm.t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
	dir := vm.cgroupOf("pages")
	vm.sh("systemctl daemon-reload; systemd-run --quiet --wait --slice=podd.slice true; systemctl restart podd")
	for _, file := range []string{"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "../hugetlb.2MB.max"} {
		if got := vm.sh("cat " + dir + "/" + file); got != "6291456" {
			vm.t.Errorf("%s is %s", file, got)
		}
	}
	vm.sh("rm /etc/podd/manifests/pages.yaml /etc/podd/manifests/none.yaml; sysctl -q vm.nr_hugepages=0")
}

// exposure is what systemd thinks of the unit, by which docs/security.md is kept.
func (vm *VM) exposure() {
	version := strings.Fields(vm.sh("systemctl --version"))[1]
	said := vm.sh("systemd-analyze security --no-pager podd.service | tail -1")
	text, err := os.ReadFile("../../docs/security.md")
	vm.must(err)
	is := regexp.MustCompile(`says (\d+\.\d) \(of systemd (\d+)\)`).FindSubmatch(text)
	if is == nil {
		vm.t.Fatal("docs/security.md does not say what systemd-analyze says")
	}
	if string(is[2]) == version && !strings.Contains(said, ": "+string(is[1])+" ") {
		vm.t.Errorf("docs/security.md says %s, systemd %s says %s", is[1], version, said)
	}
}

// journal asks systemd's journal for what podd said of one pod.
func (vm *VM) journal() {
	said := vm.sh("journalctl -b -o json --no-pager POD=limited NAMESPACE=default")
	if !strings.Contains(said, `"CONTAINER":"main"`) || !strings.Contains(said, `"_SYSTEMD_UNIT":"podd.service"`) {
		vm.t.Errorf("no entry has the fields POD and CONTAINER; the journal has:\n%s", lastOf(vm.sh("journalctl -b -u podd -o json --no-pager | tail -3")))
	}
	if !strings.Contains(vm.sh("journalctl -b -o json --no-pager -u podd"), `"PRIORITY":"6"`) {
		vm.t.Error("no entry has the priority of information")
	}
}
