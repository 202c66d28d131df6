package machine

import (
	"fmt"
	"os/exec"
)

// firmware is Debian's UEFI of qemu-efi-aarch64.
const firmware = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"

// UseImage makes a machine boot a disk image by its firmware, instead of the guest's root by a kernel from outside.
func UseImage(m *Machine, image string) error {
	m.firmware = firmware
	command := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, m.file("root.qcow2"))
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make a disk: %w\n%s", err, out)
	}
	return nil
}
