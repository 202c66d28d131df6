package board

import "strings"

func overlay(m *Machine) []Finding {
	for line := range strings.Lines(m.read("/proc/filesystems")) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == "overlay" {
			return one("overlay", OK, "the kernel has overlay", "")
		}
	}
	if m.provides("overlay") {
		return one("overlay", OK, "the kernel has overlay as a module", "")
	}
	return one("overlay", Fail, "the kernel has no overlay file system: no container gets a root", "install a kernel with CONFIG_OVERLAY_FS, or its modules package")
}

// nfs is for volumes of that type alone, which few boards have.
func nfs(m *Machine) []Finding {
	for line := range strings.Lines(m.read("/proc/filesystems")) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == "nfs" {
			return one("nfs", OK, "the kernel has NFS", "")
		}
	}
	if m.provides("nfs") {
		return one("nfs", OK, "the kernel has NFS as a module", "")
	}
	return one("nfs", OK, "the kernel has no NFS: volumes of type nfs are not mounted before one with CONFIG_NFS_FS, or its modules, is installed", "")
}

func firewall(m *Machine) []Finding {
	if err := m.Errors["nftables"]; err != nil {
		return one("nftables", Fail, "nftables does not answer: "+err.Error(), "install a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET, or its modules package")
	}
	return one("nftables", OK, "the kernel has nftables", "")
}

func bridges(m *Machine) []Finding {
	dep := "/lib/modules/" + m.read("/proc/sys/kernel/osrelease") + "/modules.dep"
	var missing []string
	for _, module := range []string{"veth", "bridge"} {
		if m.exists(dep) && !m.provides(module) {
			missing = append(missing, module)
		}
	}
	if len(missing) > 0 {
		return one("veth", Fail, "the kernel has no "+strings.Join(missing, " and no ")+": pods get no network of their own", "install a kernel with CONFIG_VETH and CONFIG_BRIDGE, or its modules package")
	}
	return one("veth", OK, "the kernel has veth and bridges", "")
}

func userNamespaces(m *Machine) []Finding {
	if !m.exists("/proc/self/ns/user") {
		return one("user namespaces", Warn, "the kernel has no user namespaces: pods have the machine's users, and those with hostUsers: false cannot run", "install a kernel with CONFIG_USER_NS")
	}
	if m.read("/proc/sys/user/max_user_namespaces") == "0" {
		return one("user namespaces", Warn, "user namespaces are turned off: pods have the machine's users, and those with hostUsers: false cannot run", "set user.max_user_namespaces to more than 0 in /etc/sysctl.d")
	}
	switch v, ok := parseRelease(m.read("/proc/sys/kernel/osrelease")); {
	case ok && before(v, mappedLayersKernel):
		return one("user namespaces", Warn, "the kernel cannot show an image with a pod's own ids: pods have the machine's users, and those with hostUsers: false cannot run", "install Linux 5.19 or newer")
	case ok && before(v, mappedMemoryKernel):
		return one("user namespaces", OK, "the kernel has user namespaces; before Linux 6.3 pods get none by themselves, and with hostUsers: false cannot have secrets, ConfigMaps, tokens and memory as volumes", "")
	}
	return one("user namespaces", OK, "the kernel has user namespaces", "")
}

func seccomp(m *Machine) []Finding {
	if !m.exists("/proc/sys/kernel/seccomp/actions_avail") {
		return one("seccomp", Warn, "the kernel has no seccomp filters: programs that set one for themselves fail", "install a kernel with CONFIG_SECCOMP_FILTER")
	}
	return one("seccomp", OK, "the kernel has seccomp filters", "")
}

// armorProfile is what podd's packages load, and podd confines containers by where it is (runtime/container/lsm).
const armorProfile = "podd-default"

func appArmor(m *Machine) []Finding {
	if !m.exists("/sys/kernel/security/apparmor") || !strings.HasPrefix(m.read("/sys/module/apparmor/parameters/enabled"), "Y") {
		return one("AppArmor", OK, "the kernel does not enforce AppArmor: pods that ask for a profile fail", "")
	}
	for line := range strings.Lines(m.read("/sys/kernel/security/apparmor/profiles")) {
		if strings.HasPrefix(line, armorProfile+" (") {
			return one("AppArmor", OK, "the profile "+armorProfile+" is loaded", "")
		}
	}
	return one("AppArmor", Warn, "the profile "+armorProfile+" is not loaded: containers run without one", "apparmor_parser -r /etc/apparmor.d/"+armorProfile+" (apparmor, and podd's package)")
}

func pressure(m *Machine) []Finding {
	if m.exists("/proc/pressure/memory") {
		return one("PSI", OK, "the kernel tells of pressure", "")
	}
	return one("PSI", Warn, "the kernel does not tell of pressure: a board that runs out of memory is noticed late", m.commandLine("psi=1", ""))
}
