package vm

import (
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// Debian's newest kernel, and what podd does where the memory controller is off. One machine shows both: a boot costs the
// processors of whoever runs this more than either.
func TestNewestKernel(t *testing.T) {
	t.Parallel()
	o := machine.Options{Kernel: "newest", Append: "cgroup_disable=memory"}
	newest := ground.guest.Release(o.Kernel) != ""
	if !newest {
		o.Kernel = "stable"
	}
	vm := newVM(t, o)
	vm.boot()
	t.Logf("Linux %s", vm.sh("uname -r"))
	vm.install()
	t.Run("without the memory controller", func(t *testing.T) { vm.on(t).withoutMemory() })
	t.Run("adopted exits", func(t *testing.T) {
		if !newest {
			t.Skip("the root was made without this kernel")
		}
		vm.on(t).adoptedExits(true)
	})
}

// withoutMemory: a kernel that was booted without the memory controller is told by podd doctor with the remedy for it; pods
// without a memory limit run there, and one with a limit says why it does not.
func (vm *VM) withoutMemory() {
	r := vm.try("podd doctor")
	if r.Code == 0 {
		vm.t.Error("podd doctor finds nothing")
	}
	for _, want := range []string{"memory controller is off", "cgroup_disable=memory"} {
		if !strings.Contains(r.Stdout, want) {
			vm.t.Errorf("podd doctor does not say %q:\n%s%s", want, r.Stdout, r.Stderr)
		}
	}
	vm.drop("plain", one("plain", forever))
	vm.drop("limited", one("limited", forever, "resources: {limits: {memory: 32Mi}}"))
	vm.ready("plain")
	vm.until("podd describe pod limited | grep -i memory | grep -qiE 'cgroup|controller'")
	vm.sh("rm /etc/podd/manifests/*")
}

// doctor finds nothing wrong with Debian as it comes.
func (vm *VM) doctor() {
	if r := vm.try("podd doctor"); r.Err != nil || r.Code != 0 {
		vm.t.Errorf("podd doctor exits with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
