package vm

import (
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// A kernel that was booted without the memory controller is told by podd doctor with the remedy for it; pods without a
// memory limit run there, and one with a limit says why it does not.
func TestWithoutMemoryController(t *testing.T) {
	t.Parallel()
	vm := newVM(t, machine.Options{Append: "cgroup_disable=memory"})
	vm.boot()
	vm.install()
	r := vm.try("podd doctor")
	if r.Code == 0 {
		t.Error("podd doctor finds nothing")
	}
	for _, want := range []string{"memory controller is off", "cgroup_disable=memory"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("podd doctor does not say %q:\n%s%s", want, r.Stdout, r.Stderr)
		}
	}
	vm.drop("plain", one("plain", forever))
	vm.drop("limited", one("limited", forever, "resources: {limits: {memory: 32Mi}}"))
	vm.ready("plain")
	vm.until("podd describe pod limited | grep -i memory | grep -qiE 'cgroup|controller'")
}

// doctor finds nothing wrong with Debian as it comes.
func (vm *VM) doctor() {
	if r := vm.try("podd doctor"); r.Err != nil || r.Code != 0 {
		vm.t.Errorf("podd doctor exits with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
