package board

import "strings"

// Model is what the board calls itself: by its device tree, or by DMI; "" if it does not.
func (m *Machine) Model() string {
	if name := m.read("/proc/device-tree/model"); name != "" {
		return name
	}
	return strings.TrimSpace(m.read("/sys/class/dmi/id/sys_vendor") + " " + m.read("/sys/class/dmi/id/product_name"))
}

func model(m *Machine) []Finding {
	name := m.Model()
	if name == "" {
		name = "a board that does not say its model"
	}
	return one("board", OK, name, "")
}

// commandLine says how an option comes into, or out of, the kernel's command line on this board.
func (m *Machine) commandLine(add, drop string) string {
	change := "add " + add + " to"
	if drop != "" {
		change = "take " + drop + " out of"
		if add != "" {
			change = "replace " + drop + " by " + add + " in"
		}
	}
	for _, boot := range []struct{ file, line string }{
		{"/boot/firmware/cmdline.txt", "the one line of /boot/firmware/cmdline.txt"},
		{"/boot/cmdline.txt", "the one line of /boot/cmdline.txt"},
		{"/boot/armbianEnv.txt", "extraargs= in /boot/armbianEnv.txt"},
		{"/boot/extlinux/extlinux.conf", "the APPEND line of /boot/extlinux/extlinux.conf"},
		{"/boot/uEnv.txt", "the optargs= line of /boot/uEnv.txt"},
		{"/etc/default/grub", "GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub,"},
	} {
		if m.exists(boot.file) {
			return change + " " + boot.line + " and reboot"
		}
	}
	return change + " the kernel's command line where the boot loader keeps it, and reboot"
}
