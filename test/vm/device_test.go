package vm

import (
	"fmt"
	"strings"
	"testing"

	"podd/test/vm/machine"
)

// A serial adapter of USB is plugged into a machine, pulled out and plugged in again, by qemu: the container that has it by its
// stable name has it again, whatever number the kernel gives it. It needs a kernel with drivers of USB:
// PODD_VM_USB=1 make test-vm TESTFLAGS='-v -run TestUSB'
func TestUSB(t *testing.T) {
	t.Parallel()
	if ground.guest.Release("generic") == "" {
		t.Skip("PODD_VM_USB=1 makes a root with the kernel for it")
	}
	vm := newVM(t, machine.Options{Kernel: "generic", USB: true})
	vm.boot()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the kernel found:\n%s", vm.try("dmesg | grep -iE 'usb|xhci|tty' | tail -30; lsmod | grep -iE 'usb|hci|ftdi'; ls -lR /dev/serial /dev/ttyUSB*; udevadm info /dev/ttyUSB0").Stdout)
		}
	})
	vm.install()
	vm.isPluggedInAgain(plug{
		driver: "usb-serial", bus: "xhci.0", node: "/dev/ttyUSB", open: "stty -F /dev/stick >/dev/null",
		link: "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_stick-if00-port0",
		// A port of qemu is plugged in when somebody opens it from outside, unless it always is.
		stick: map[string]any{"serial": "stick", "always-plugged": true}, other: map[string]any{"serial": "other", "always-plugged": true},
	})
}

// portIsPluggedInAgain does the same with a port of virtio, for which any kernel has the driver.
func (vm *VM) portIsPluggedInAgain() {
	vm.isPluggedInAgain(plug{
		driver: "virtserialport", node: "/dev/vport", link: "/dev/virtio-ports/stick", open: "exec 3<>/dev/stick",
		stick: map[string]any{"name": "stick"}, other: map[string]any{"name": "other"},
	})
}

// plug is a kind of device that qemu can plug in. Two of them are told apart by a name or serial number.
type plug struct {
	driver, bus  string
	node         string // what the kernel's names for it begin with
	link         string // udev's, to the stick
	open         string // opens /dev/stick in a container
	stick, other map[string]any
}

func (vm *VM) plugIn(p plug, id string, more map[string]any) {
	vm.t.Helper()
	vm.must(vm.QMP("chardev-add", map[string]any{"id": "of-" + id, "backend": map[string]any{"type": "null", "data": map[string]any{}}}))
	device := map[string]any{"driver": p.driver, "id": id, "chardev": "of-" + id}
	if p.bus != "" {
		device["bus"] = p.bus
	}
	for key, value := range more {
		device[key] = value
	}
	vm.must(vm.QMP("device_add", device))
}

func (vm *VM) pullOut(id string) {
	vm.t.Helper()
	vm.must(vm.QMP("device_del", map[string]any{"id": id}))
}

func (vm *VM) isPluggedInAgain(p plug) {
	vm.t.Helper()
	vm.plugIn(p, "stick", p.stick)
	vm.until("test -c " + p.link)
	before := vm.sh("readlink -f " + p.link)
	volume := "spec:\n  volumes: [{name: stick, hostPath: {path: " + p.link + ", type: CharDevice}}]"
	vm.drop("stick", strings.Replace(one("stick", forever, "volumeMounts: [{name: stick, mountPath: /dev/stick}]"), "spec:", volume, 1))
	vm.ready("stick")
	has := func(node string) {
		vm.t.Helper()
		vm.until(fmt.Sprintf("[ $(podd exec stick -- stat -c %%t:%%T /dev/stick) = $(stat -c %%t:%%T %s) ] && podd exec stick -- sh -c '%s'", node, p.open))
	}
	has(before)
	vm.pullOut("stick")
	vm.until("! test -e " + p.link)
	vm.until("! podd exec stick -- test -e /dev/stick")
	vm.until("podd get events | grep DeviceUnplugged | grep -q 'has lost /dev/stick'")
	// Another one takes the number that is free now: it is not the container's.
	vm.plugIn(p, "other", p.other)
	vm.until("test -c " + before)
	if r := vm.try("sleep 1; podd exec stick -- test -e /dev/stick"); r.Code == 0 {
		vm.t.Error("the container has got another device than its own")
	}
	vm.plugIn(p, "stick-again", p.stick)
	vm.until("test -c " + p.link)
	after := vm.sh("readlink -f " + p.link)
	if after == before || !strings.HasPrefix(after, p.node) {
		vm.t.Errorf("it was %s and is %s", before, after)
	}
	has(after)
	vm.until("podd get events | grep DevicePlugged | grep -q 'has got /dev/stick'")
	// Meanwhile podd restarts.
	vm.pullOut("stick-again")
	vm.until("! podd exec stick -- test -e /dev/stick")
	vm.sh("systemctl kill -s KILL podd")
	vm.plugIn(p, "stick-last", p.stick)
	vm.until("test -c " + p.link + " && podd get pods >/dev/null")
	has(vm.sh("readlink -f " + p.link))
	if restarts := vm.sh(`podd get pod stick -o json | tr -d ' \n' | grep -o '"restartCount":[0-9]*'`); restarts != `"restartCount":0` {
		vm.t.Errorf("the container was started again: %s", restarts)
	}
	vm.sh("rm /etc/podd/manifests/stick.yaml")
}
