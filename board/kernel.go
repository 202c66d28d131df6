package board

import (
	"fmt"
	"strconv"
	"strings"
)

// The oldest kernel with all that podd and runc use (openat2, pidfd_open, close_range), and the first whose pidfds
// keep a container's exit status.
var (
	oldestKernel = [2]int{5, 9}
	statusKernel = [2]int{6, 15}
	// The first with idmapped layers of an overlay, and with idmapped mounts of tmpfs.
	mappedLayersKernel = [2]int{5, 19}
	mappedMemoryKernel = [2]int{6, 3}
)

func kernel(m *Machine) []Finding {
	release := m.read("/proc/sys/kernel/osrelease")
	v, ok := parseRelease(release)
	switch {
	case !ok:
		return one("kernel", Warn, fmt.Sprintf("its release %q is not understood", release), "")
	case before(v, oldestKernel):
		return one("kernel", Fail, "Linux "+release+" is too old: podd needs 5.9 or newer", "install a newer kernel")
	case before(v, statusKernel):
		return one("kernel", OK, "Linux "+release+"; exit codes of containers that end while podd is restarted come from the process connector", "")
	}
	return one("kernel", OK, "Linux "+release, "")
}

// parseRelease reads the first two numbers of a release.
func parseRelease(s string) (v [2]int, ok bool) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return v, false
	}
	minor, _, _ := strings.Cut(parts[1], "-")
	var errs [2]error
	v[0], errs[0] = strconv.Atoi(parts[0])
	v[1], errs[1] = strconv.Atoi(minor)
	return v, errs[0] == nil && errs[1] == nil
}

func before(v, than [2]int) bool { return v[0] < than[0] || v[0] == than[0] && v[1] < than[1] }

// provides says whether the kernel has something that may be a module: built in, loaded, or there to be loaded.
func (m *Machine) provides(module string) bool {
	under := strings.ReplaceAll(module, "-", "_")
	if m.exists("/sys/module/" + under) {
		return true
	}
	for line := range strings.Lines(m.read("/proc/modules")) {
		if name, _, _ := strings.Cut(line, " "); name == under {
			return true
		}
	}
	lib := "/lib/modules/" + m.read("/proc/sys/kernel/osrelease")
	for _, list := range []string{"/modules.builtin", "/modules.dep"} {
		for line := range strings.Lines(m.read(lib + list)) {
			path, _, _ := strings.Cut(strings.TrimSpace(line), ":")
			name := path[strings.LastIndex(path, "/")+1:]
			name, _, _ = strings.Cut(name, ".ko")
			if strings.ReplaceAll(name, "-", "_") == under {
				return true
			}
		}
	}
	return false
}

// capabilities that podd cannot work without, and those without which something is missed. man 7 capabilities
var needed = []struct {
	bit     uint
	name    string
	verdict Verdict
	without string
}{
	{21, "CAP_SYS_ADMIN", Fail, "no namespace and no mount can be made"},
	{12, "CAP_NET_ADMIN", Fail, "no pod gets a network"},
	{1, "CAP_DAC_OVERRIDE", Fail, "images cannot be unpacked with their owners"},
	{24, "CAP_SYS_RESOURCE", Warn, "pods cannot be protected from the OOM killer, nor get more open files than podd has"},
}

func privileges(m *Machine) []Finding {
	var set uint64
	var list []Finding
	for line := range strings.Lines(m.read("/proc/self/status")) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, _ = strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
		if text, ok := strings.CutPrefix(line, "NoNewPrivs:"); ok && strings.TrimSpace(text) == "1" {
			list = append(list, Finding{"privileges", Warn, "no_new_privs is set, and goes on to every container: sudo and what else is setuid does not work in them", "remove NoNewPrivileges= from podd's unit, or what else sets it"})
		}
	}
	for _, c := range needed {
		if set&(1<<c.bit) == 0 {
			list = append(list, Finding{"privileges", c.verdict, c.name + " is missing: " + c.without, "run podd as root, and not in a container that takes capabilities away"})
		}
	}
	if len(list) == 0 {
		return one("privileges", OK, "all capabilities that podd needs", "")
	}
	return list
}
