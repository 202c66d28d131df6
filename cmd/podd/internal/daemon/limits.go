package daemon

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"

	"podd/cmd/podd/internal/config"
	"podd/runtime"
	"podd/runtime/container/rlimit"
	"podd/runtime/node"
	"podd/runtime/podsecurity"
)

// lowestOOMScore is the lowest oom_score_adj that the kernel lets this process give: its own, unless it may
// exceed resource limits. man 5 proc, /proc/pid/oom_score_adj.
func lowestOOMScore() int {
	const lowest = -1000
	if self, err := capability.NewPid2(0); err == nil && self.Load() == nil && self.Get(capability.EFFECTIVE, capability.CAP_SYS_RESOURCE) {
		return lowest
	}
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return own
}

// resetCoredumpFilter takes the one that the first process of the machine has: what podd was given would go on to containers.
// man 5 core
func resetCoredumpFilter() {
	if filter, err := os.ReadFile("/proc/1/coredump_filter"); err == nil {
		_ = os.WriteFile("/proc/self/coredump_filter", append([]byte("0x"), filter...), 0)
	}
}

// forbidCoreDump keeps what the daemon has read, such as Secrets, out of core dumps, and its memory from processes without
// CAP_SYS_PTRACE. What it executes is as any other program again. man 2 PR_SET_DUMPABLE
func forbidCoreDump() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// settings are those of the configuration as far as the kernel grants them; what it does not is said once.
func (d *daemon) settings() runtime.Settings {
	s := settingsOf(d.config)
	d.labels.Store(&s.Labels)
	handlers := s.RuntimeHandlers.Names()
	d.handlers.Store(&handlers)
	d.refuseUnknown.Store(d.config.UnknownKinds == "refuse")
	var lowered []string
	s.Rlimits, lowered = rlimit.Allowed(s.Rlimits)
	lowered = slices.DeleteFunc(lowered, func(name string) bool { return slices.Contains(d.lowered, name) })
	if first := d.runtime == nil; len(lowered) > 0 || first && len(d.lowered) > 0 {
		d.lowered = append(d.lowered, lowered...)
		d.log.Warn("containers get lower resource limits than they were to have: podd may not exceed its own", "limits", strings.Join(d.lowered, " "))
	}
	return s
}

// nodeLabels are the labels of this board: its own, and those of the configuration, which win. Any goroutine may ask.
func (d *daemon) nodeLabels() map[string]string {
	var own map[string]string
	if labels := d.labels.Load(); labels != nil {
		own = *labels
	}
	return node.Labels(d.config.NodeName, own)
}

// memoryCapacity is the board's memory in bytes; 0 if the kernel does not tell.
func memoryCapacity() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// settings are what the runtime takes over at a reload.
func settingsOf(c *config.Config) runtime.Settings {
	limits, _ := c.Rlimits() // check has seen them
	return runtime.Settings{
		LogMaxSize: c.ContainerLogMaxSize.Value(), LogMaxFiles: c.ContainerLogMaxFiles, LogDriver: c.ContainerLogDriver,
		PodPidsLimit: c.PodPidsLimit, StopGroups: c.StopGroups(), Labels: c.Labels(),
		LongestBackoff: c.CrashLoopBackOff.MaxContainerRestartPeriod.Duration,
		Rlimits:        limits, AllowedUnsafeSysctls: c.AllowedUnsafeSysctls, SeccompDefault: c.SeccompDefault, NoNewPrivileges: c.NoNewPrivileges, Devices: c.Devices, RuntimeHandlers: c.RuntimeHandlers, DenyCDIAnnotations: !c.CDIAnnotations, RefuseUnlabelled: c.UnenforcedSELinux == "refuse", AutoUsers: c.UserNamespaces.Auto(),
		PodSecurity: podsecurity.Settings{Enforced: c.PodSecurity, Namespaces: c.PodSecurityExemptions.Namespaces, RuntimeClasses: c.PodSecurityExemptions.RuntimeClasses},
	}
}
