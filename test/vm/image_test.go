package vm

import (
	"os"
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// The image of make image, through its firmware and its boot loader, with a pod that was put into it: a board that is
// switched on for the first time runs it.
func TestImage(t *testing.T) {
	image := os.Getenv("PODD_VM_IMAGE")
	if image == "" {
		t.Skip("make test-board makes an image and runs this")
	}
	vm := newBoard(t)
	vm.must(machine.UseImage(vm.Machine, image))
	vm.boot()
	if cmdline := vm.sh("cat /proc/cmdline"); !strings.Contains(cmdline, "root=LABEL=podd-root") {
		t.Errorf("it was not the boot loader that booted it: %s", cmdline)
	}
	vm.until("systemctl is-active --quiet podd")
	vm.sh("mkdir -p /etc/podd/images; /data/bin/mkimage -o /etc/podd/images/.busybox -name busybox; mv /etc/podd/images/.busybox /etc/podd/images/busybox.tar")
	vm.ready("first")
	vm.must(vm.Reboot(patience(bootLimit)))
	vm.ready("first")
	vm.sh("dpkg --configure podd; systemctl is-enabled podd")
}
