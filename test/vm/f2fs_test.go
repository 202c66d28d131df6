package vm

import (
	"testing"

	"podd/test/vm/machine"
)

// podd keeps images, layers and claims on F2FS, the file system for flash: images and what a pod has synced are whole after a
// power cut, and the store's test of file systems passes. Clouds' kernels have none of it:
// PODD_VM_USB=1 make test-vm TESTFLAGS='-v -run TestF2FS'
func TestF2FS(t *testing.T) {
	t.Parallel()
	if ground.guest.Release("generic") == "" {
		t.Skip("PODD_VM_USB=1 makes a root with the kernel for it")
	}
	vm := newVM(t, machine.Options{Kernel: "generic", MemoryMB: 2048})
	vm.boot()
	vm.sh(`truncate -s 600M /flash && mkfs.f2fs -q /flash && mkdir -p /var/lib/podd
		echo '/flash /var/lib/podd f2fs loop 0 0' >>/etc/fstab && mount /var/lib/podd && sync`)
	vm.install()
	vm.drop("app", one("app", forever))
	vm.drop("keeper", keeper)
	vm.ready("app", "keeper")
	vm.sh("podd images verify && sync /etc/podd/manifests/*")
	vm.until("[ $(podd exec keeper -- cat /dev/shm/synced) -gt 3 ]")
	kept := vm.kept("/dev/shm/synced")
	vm.Cut()
	vm.boot()
	vm.sh("findmnt -n -o FSTYPE /var/lib/podd | grep -qx f2fs")
	vm.ready("app", "keeper")
	vm.sh("podd images verify")
	if now := vm.kept("/data/count"); now < kept {
		t.Errorf("the pod had synced %d to its claim, and finds %d", kept, now)
	}
	vm.inside("images", "FileSystems)$/(f2fs")
}
