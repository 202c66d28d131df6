package vm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"podd/test/vm/machine"
)

// The life of a board: podd is installed, the machine boots, podd is restarted, dies, hangs, is upgraded, reloaded and
// stopped, and the machine is shut down. One machine lives through all of it, in this order.
func TestUnit(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{})
	vm.boot()
	vm.install()
	vm.drop("counter", one("counter", counting))
	vm.drop("idle", one("idle", forever))
	vm.drop("pair", strings.ReplaceAll(one("pair", forever), "- name: main", "- {name: second, image: busybox, imagePullPolicy: Never, command: [sleep, \"100000\"]}\n  - name: main"))
	vm.ready("counter", "idle", "pair")
	for _, c := range []struct {
		name string
		test func(*VM)
	}{
		{"boot", (*VM).bootsByItself},
		{"restart", (*VM).restart},
		{"crash", (*VM).crash},
		{"crashes in a row", (*VM).crashes},
		{"watchdog", (*VM).watchdog},
		{"upgrade", (*VM).upgrade},
		{"reload", (*VM).reload},
		{"journal", (*VM).journalDriver},
		{"stop", (*VM).stop},
		{"cancelled shutdown", (*VM).cancelledShutdown},
		{"shutdown order", (*VM).shutdownOrder},
		{"removal", (*VM).removal},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.test(vm.on(t)) }) {
			break // what follows begins where this one should have ended
		}
	}
}

func (vm *VM) bootsByItself() {
	vm.must(vm.Reboot(bootLimit))
	vm.ready("counter", "idle", "pair")
	if failed := vm.sh("systemctl --failed --no-legend --plain"); failed != "" {
		vm.t.Errorf("units that failed:\n%s", failed)
	}
	vm.counts("counter")
}

// undisturbed does something to the daemon and checks that the pods did not notice.
func (vm *VM) undisturbed(what func(daemon string)) {
	vm.t.Helper()
	before, daemon, counts := vm.pids(), vm.daemon(), vm.restartCounts()
	if len(strings.Fields(before)) != 4 {
		vm.t.Errorf("the four containers have the processes %q", before)
	}
	what(daemon)
	vm.answers(daemon)
	if after := vm.pids(); after != before {
		vm.t.Errorf("the pods' processes were\n%s\nand are\n%s", before, after)
	}
	vm.ready("counter", "idle", "pair")
	vm.counts("counter")
	if now := vm.restartCounts(); now != counts {
		vm.t.Errorf("the restart counts were %s and are %s", counts, now)
	}
}

func (vm *VM) restartCounts() string {
	vm.t.Helper()
	return vm.sh(`echo $(podd get pods --no-headers | awk '{print $1 ":" $4}')`)
}

func (vm *VM) restart() {
	vm.undisturbed(func(string) { vm.sh("systemctl restart podd") })
}

func (vm *VM) crash() {
	vm.undisturbed(func(daemon string) { vm.sh("kill -9 " + daemon) })
}

func (vm *VM) crashes() {
	vm.undisturbed(func(daemon string) {
		vm.sh("for i in 1 2 3 4 5 6 7 8; do pid=$(systemctl show -P MainPID podd); [ $pid = 0 ] || kill -9 $pid; sleep 0.$i; done")
		vm.until("systemctl is-active --quiet podd")
	})
}

// watchdog stops the daemon in its tracks; systemd ends it and starts another. The unit's own time is minutes.
func (vm *VM) watchdog() {
	vm.sh("mkdir -p /run/systemd/system/podd.service.d; printf '[Service]\\nWatchdogSec=8s\\n' >/run/systemd/system/podd.service.d/watchdog.conf; systemctl daemon-reload; systemctl restart podd")
	vm.undisturbed(func(daemon string) { vm.sh("kill -STOP " + daemon) })
	if said := vm.sh("journalctl -u podd -b --no-pager | grep -i 'watchdog timeout' || true"); said == "" {
		vm.t.Error("the journal does not know of the watchdog")
	}
	vm.sh("rm -r /run/systemd/system/podd.service.d; systemctl daemon-reload; systemctl restart podd")
}

func (vm *VM) upgrade() {
	vm.undisturbed(func(string) { vm.sh("dpkg -i /data/podd-next.deb") })
	if version := vm.sh("dpkg-query -W -f '${Version}' podd"); version != "99.0" {
		vm.t.Errorf("the package installed is %s", version)
	}
	vm.undisturbed(func(string) { vm.sh("dpkg -i --force-downgrade /data/podd.deb") })
}

// reload is no restart: the daemon stays the same process.
func (vm *VM) reload() {
	daemon := vm.daemon()
	vm.sh("systemctl reload podd")
	vm.until("systemctl is-active --quiet podd && podd get pods >/dev/null")
	if now := vm.daemon(); now != daemon {
		vm.t.Errorf("a reload made another daemon: %s, was %s", now, daemon)
	}
	vm.ready("counter", "idle", "pair")
}

// journalDriver: the journal has what a pod writes, each line once, also while journald and podd are restarted.
func (vm *VM) journalDriver() {
	const counts = `trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done` // journald takes 10,000 lines in 30 s
	vm.drop("journal", strings.Replace(one("journal", counts), "metadata: {name: journal}", "metadata: {name: journal, annotations: {podd.dev/log-driver: journald}}", 1))
	const said = "journalctl -o cat POD_NAME=journal CONTAINER_NAME=main PRIORITY=6 SYSLOG_IDENTIFIER=journal"
	vm.until(said + " | grep -qx 10")
	for _, unit := range []string{"systemd-journald", "podd"} {
		last := vm.sh("systemctl restart " + unit + "; podd logs journal --tail 1")
		vm.until(fmt.Sprintf(said+" | grep -qx $((%s + 5))", last))
	}
	vm.sh(said + ` | awk '$1 != NR {print "line " NR " is " $0; exit 1}'`)
	vm.sh("rm /etc/podd/manifests/journal.yaml")
	vm.until("! podd get pod journal 2>/dev/null")
}

// stop ends the pods gracefully; nothing of them is left, and a start brings them back.
func (vm *VM) stop() {
	log := vm.sh("ls -t /var/log/pods/default_counter_*/main/*.log | head -1")
	began := time.Now()
	vm.sh("systemctl stop podd")
	vm.t.Logf("stopped in %s", time.Since(began).Round(100*time.Millisecond))
	if last := vm.sh("tail -1 " + log); !strings.HasSuffix(last, " bye") {
		vm.t.Errorf("the last line of the counter is %q", last)
	}
	if left := vm.pids(); left != "" {
		vm.t.Errorf("processes of pods are left: %s", left)
	}
	if left := vm.sh("grep podd /proc/mounts || true"); left != "" {
		vm.t.Errorf("mounts are left:\n%s", left)
	}
	vm.sh("systemctl start podd")
	vm.ready("counter", "idle", "pair")
}

// cancelledShutdown lets logind wait for the pods and then fail: nothing has gone but they, and they come back.
func (vm *VM) cancelledShutdown() {
	vm.until("systemd-inhibit --list --no-legend | grep -q '^podd .*delay'")
	if delay := vm.sh("busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec"); delay != "t 70000000" {
		vm.t.Errorf("logind waits %s µs", delay)
	}
	// One that is scheduled and taken back before its time is nobody's matter.
	before, daemon := vm.pids(), vm.daemon()
	vm.sh("shutdown +1; shutdown -c")
	if now := vm.pids(); now != before {
		vm.t.Errorf("the pods' processes were\n%s\nand are\n%s", before, now)
	}
	// Somebody else holds it up, too, so that it can be made to fail when the pods have ended.
	vm.sh("systemd-run -q --unit=hold systemd-inhibit --what=shutdown --mode=delay --who=hold sleep 600")
	vm.until("systemd-inhibit --list --no-legend | grep -q '^hold '")
	vm.sh("systemctl reboot")
	vm.until("podd get events | grep -q 'detected shutdown event' && ! systemd-inhibit --list --no-legend | grep -q '^podd '")
	if left := vm.pids(); left != "" {
		vm.t.Errorf("podd lets go of its lock, and processes of pods are left: %s", left)
	}
	vm.sh("podd get nodes --no-headers | grep -q NotReady")
	vm.sh("systemctl mask -q --runtime reboot.target; systemctl stop hold")
	vm.until("podd get events | grep -q 'detected shutdown cancellation'")
	vm.sh("systemctl unmask -q --runtime reboot.target; podd get nodes --no-headers | grep -qw Ready")
	vm.ready("counter", "idle", "pair")
	vm.counts("counter")
	if now := vm.daemon(); now != daemon {
		vm.t.Errorf("podd was %s and is %s", daemon, now)
	}
	for _, pid := range strings.Fields(vm.pids()) {
		if strings.Contains("\n"+before+"\n", "\n"+pid+"\n") {
			vm.t.Errorf("process %s of a pod is there still", pid)
		}
	}
	vm.until("systemd-inhibit --list --no-legend | grep -q '^podd .*delay'")
}

// shutdownOrder looks after a reboot at how the machine went down: pods first, what they use later.
func (vm *VM) shutdownOrder() {
	log := vm.sh("ls -t /var/log/pods/default_counter_*/main/*.log | head -1")
	vm.must(vm.Reboot(bootLimit))
	vm.ready("counter", "idle", "pair")
	if last := vm.sh("tail -1 " + log); !strings.HasSuffix(last, " bye") {
		vm.t.Errorf("at the shutdown the counter was not ended gracefully: its last line is %q", last)
	}
	const order = "journalctl -b -1 --no-pager -o cat _SYSTEMD_UNIT=podd.service + UNIT=podd.service | grep -n -m1 "
	vm.sh(`a=$(` + order + `'the machine shuts down' | cut -d: -f1); b=$(` + order + `'all pods have ended: the machine goes on' | cut -d: -f1)
		c=$(journalctl -b -1 --no-pager -o cat _SYSTEMD_UNIT=podd.service + UNIT=podd.service | grep -n '^Stopping podd.service' | tail -1 | cut -d: -f1); [ "$a" -lt "$b" ] && [ "$b" -lt "$c" ]`)
	if podd, pods := vm.stoppedAt("podd"), vm.stoppedAt("podd-pods"); podd >= pods {
		vm.t.Errorf("podd.service is to stop before podd-pods.service, and stopped %d µs later", podd-pods)
	}
	if strings.Contains(vm.sh("journalctl -b -1 --no-pager -u podd -u podd-pods"), "SIGKILL") {
		vm.t.Errorf("something had to be killed:\n%s", vm.sh("journalctl -b -1 --no-pager -u podd -u podd-pods | tail -20"))
	}
}

// stoppedAt is when a unit stopped at the end of the last boot, in µs since its begin; its id is that of SD_MESSAGE_UNIT_STOPPED.
func (vm *VM) stoppedAt(unit string) int {
	vm.t.Helper()
	return vm.number("journalctl -b -1 -o json --no-pager MESSAGE_ID=9d1aaa27d60140bd96365438aad20286 UNIT=" + unit +
		`.service | tail -1 | sed 's/.*"__MONOTONIC_TIMESTAMP" *: *"\([0-9]*\)".*/\1/'`)
}

// removal stops the pods and leaves the data; purge leaves nothing.
func (vm *VM) removal() {
	vm.sh("dpkg -r podd")
	if left := vm.pids(); left != "" {
		vm.t.Errorf("processes of pods are left: %s", left)
	}
	vm.sh("[ -e /etc/podd/manifests/idle.yaml ] && [ -d /var/lib/podd/images ]")
	vm.sh("dpkg -P podd")
	if left := vm.sh("find / -xdev -name '*podd*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/var/log/journal/*' -not -path '/data*' -not -path '/tmp/*'"); left != "" {
		vm.t.Errorf("purge leaves:\n%s", left)
	}
	if left := vm.sh("ip -o link | grep -E 'podd0|veth' || true; nft list tables"); left != "" {
		vm.t.Errorf("purge leaves in the network:\n%s", left)
	}
}
