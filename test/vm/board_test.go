package vm

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A board of the smallest size: podd comes as a package, runs a set of pods, is restarted, and the board reboots.
func TestBoard(t *testing.T) {
	vm := newBoard(t)
	vm.boot()
	t.Logf("%s", vm.sh("uname -srm; free -m | head -2"))
	vm.install()
	vm.drop("counter", one("counter", counting))
	vm.drop("idle", one("idle", forever))
	vm.drop("limited", one("limited", forever, "resources: {limits: {memory: 16Mi, cpu: 200m}}"))
	vm.ready("counter", "idle", "limited")
	t.Run("restart", func(t *testing.T) {
		vm := vm.on(t)
		before, daemon := vm.pids(), vm.daemon()
		vm.sh("systemctl restart podd")
		vm.answers(daemon)
		if after := vm.pids(); after != before || before == "" {
			t.Errorf("the pods' processes were\n%s\nand are\n%s", before, after)
		}
		vm.counts("counter")
	})
	t.Run("reboot", func(t *testing.T) {
		vm := vm.on(t)
		vm.must(vm.Reboot(patience(bootLimit)))
		vm.ready("counter", "idle", "limited")
		vm.counts("counter")
	})
	t.Run("confinement", func(t *testing.T) {
		if ground.guest.Arch != "arm64" {
			t.Skip("there are golden files for arm64")
		}
		vm.on(t).confinement()
	})
	t.Run("memory", func(t *testing.T) { vm.on(t).memory() })
	t.Run("MemoryMax", func(t *testing.T) { vm.on(t).tight() })
}

// memory reports what podd takes from a board of 512 MB.
func (vm *VM) memory() {
	vm.sh("rm /etc/podd/manifests/*; systemctl stop podd")
	vm.t.Logf("without podd:  %4d MiB available", vm.available())
	vm.sh("systemctl start podd")
	for _, pods := range []int{0, 10, 30} {
		vm.many(pods)
		vm.t.Logf("with %2d pods:  %4d MiB available; podd's PSS %d KiB, its cgroup %s KiB", pods, vm.available(), vm.pss(), vm.charged())
	}
}

// available is what the kernel thinks it could give, in MiB, after what can be dropped was dropped.
func (vm *VM) available() int {
	vm.t.Helper()
	return vm.number("sleep 3; echo 3 >/proc/sys/vm/drop_caches; awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo")
}

func (vm *VM) pss() int {
	vm.t.Helper()
	return vm.number("awk '/^Pss:/ {print $2}' /proc/" + vm.daemon() + "/smaps_rollup")
}

func (vm *VM) charged() string {
	vm.t.Helper()
	return vm.sh("echo $(($(cat /sys/fs/cgroup/system.slice/podd.service/memory.current) / 1024))")
}

func (vm *VM) number(script string) int {
	vm.t.Helper()
	n, err := strconv.Atoi(vm.sh(script))
	vm.must(err)
	return n
}

// many makes the folder hold so many pods, idle ones, and waits until they run.
func (vm *VM) many(pods int) {
	vm.t.Helper()
	vm.sh(fmt.Sprintf("cat >/root/idle.yaml <<'END'\n%s\nEND", one("NAME", forever)))
	vm.sh(fmt.Sprintf(`cd /etc/podd/manifests; for n in $(seq 1 %d); do sed "s/NAME/m$n/" /root/idle.yaml >.m$n; mv .m$n m$n.yaml; done`, pods))
	began := time.Now()
	vm.until(fmt.Sprintf(`[ "$(podd get pods --no-headers 2>/dev/null | grep -c ' 1/1 *Running')" = %d ]`, pods))
	vm.t.Logf("%d pods run after %s", pods, time.Since(began).Round(time.Second))
}

// tight runs 30 pods with little memory for podd itself: they start, idle, write a lot and end, and the kernel never has
// to end podd.
func (vm *VM) tight() {
	vm.sh("rm -f /etc/podd/manifests/*; systemctl stop podd; mkdir -p /run/systemd/system/podd.service.d; printf '[Service]\\nMemoryMax=24M\\nMemorySwapMax=0\\n' >/run/systemd/system/podd.service.d/tight.conf; systemctl daemon-reload; systemctl start podd")
	daemon := vm.daemon()
	vm.many(30)
	vm.say("started")
	time.Sleep(5 * time.Second)
	vm.say("idle")
	for n := range 10 {
		vm.sh(fmt.Sprintf(`podd exec m%d -- sh -c 'seq 1 20000 >/proc/1/fd/1'`, n+1))
	}
	vm.until("[ $(podd logs m10 | wc -l) = 20000 ]")
	vm.say("after bursts of logs")
	vm.sh("rm /etc/podd/manifests/*")
	vm.until("! podd get pods --no-headers 2>/dev/null | grep -q .")
	vm.say("after the end of the pods")
	if now := vm.daemon(); now != daemon {
		vm.t.Errorf("podd was process %s and is %s: %s", daemon, now, vm.sh("journalctl -u podd -b --no-pager -o cat | tail -20"))
	}
	if kills := vm.sh("grep -E '^(oom|oom_kill) [1-9]' /sys/fs/cgroup/system.slice/podd.service/memory.events || true"); kills != "" {
		vm.t.Errorf("the kernel says of podd's cgroup: %s", strings.ReplaceAll(kills, "\n", ", "))
	}
}

func (vm *VM) say(when string) {
	vm.t.Helper()
	vm.t.Logf("%-26s PSS %5d KiB, cgroup %s KiB, its peak %s KiB, reclaims %s", when, vm.pss(), vm.charged(),
		vm.sh("cat /sys/fs/cgroup/system.slice/podd.service/memory.peak 2>/dev/null | awk '{print int($1 / 1024)}'"),
		vm.sh("awk '/^max/ {print $2}' /sys/fs/cgroup/system.slice/podd.service/memory.events"))
}
