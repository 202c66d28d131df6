package vm

import "strings"

// atFile makes a container end with 42 when a file appears in it.
const atFile = `while [ ! -e /go ]; do sleep 0.1; done; echo last words; exit 42`

// adoptedExits is how containers end that an earlier podd started: on Debian's stable kernel the process connector tells,
// on its newest (6.15 and later) their pidfds do, also of what ended while no podd was there.
func (vm *VM) adoptedExits(newest bool) {
	for _, name := range []string{"later", "between"} {
		vm.drop(name, pod(name, "Never", atFile))
		vm.ready(name)
	}
	root := "/proc/" + vm.processOf("later") + "/root"
	vm.sh("systemctl restart podd")
	vm.until("podd get pods >/dev/null")
	vm.sh("touch " + root + "/go")
	vm.terminated("later", `"exitCode":42`)

	// systemd waits before it starts the next podd; the container ends meanwhile.
	vm.sh("mkdir -p /run/systemd/system/podd.service.d; printf '[Service]\\nRestartSec=6s\\n' >/run/systemd/system/podd.service.d/slow.conf; systemctl daemon-reload")
	daemon, root := vm.daemon(), "/proc/"+vm.processOf("between")+"/root"
	vm.sh("kill -9 " + daemon + "; touch " + root + "/go; sleep 2")
	vm.answers(daemon)
	want := `"exitCode":42`
	if !newest {
		want = "ContainerStatusUnknown"
	}
	vm.terminated("between", want)
	for _, name := range []string{"later", "between"} {
		if log := vm.sh("podd logs " + name); !strings.HasSuffix(log, "last words") {
			vm.t.Errorf("the log of %s is %q", name, log)
		}
	}
}

// terminated waits until a pod's container has ended, and looks for what its status says.
func (vm *VM) terminated(pod, want string) {
	vm.t.Helper()
	vm.until("podd get pod " + pod + ` -o json | tr -d ' \n' | grep -q '"state":{"terminated"'`)
	if said := vm.sh("podd get pod " + pod + ` -o json | tr -d ' \n'`); !strings.Contains(said, want) {
		vm.t.Errorf("the status of %s lacks %s: %s", pod, want, said)
	}
}
