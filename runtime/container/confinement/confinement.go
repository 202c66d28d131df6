// Package confinement reads from the kernel what confines a container that runs, and says what would confine it more.
package confinement

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// Facts are what the kernel says of a container's first process.
type Facts struct {
	PID          int      `json:"pid"`
	UID          int      `json:"uid"` // as the container sees it
	OwnUsers     string   `json:"userNamespace,omitempty"`
	Capabilities []string `json:"capabilities"` // that it can have at most: its bounding set
	Effective    []string `json:"effective"`
	Seccomp      string   `json:"seccomp"`           // none, strict, filter
	AppArmor     string   `json:"appArmor"`          // "": none
	SELinux      string   `json:"selinux,omitempty"` // "": the kernel has it off
	NoNewPrivs   bool     `json:"noNewPrivileges"`   //
	ReadOnlyRoot bool     `json:"readOnlyRoot"`      //
	Masked       []string `json:"masked"`            // places of /proc and /sys that show nothing
	ReadOnly     []string `json:"readOnly"`          // and those that cannot be written to
	Host         []string `json:"hostNamespaces"`    // which of the machine's it is in
	Devices      []string `json:"devices,omitempty"` // beside those of every container
	Mounts       []Mount  `json:"mounts,omitempty"`  // beside those of every container
}

// Mount is something mounted in a container.
type Mount struct {
	At       string `json:"at"`
	Type     string `json:"type"`
	Writable bool   `json:"writable"`
}

// Processes finds the first process of each container by the names of their cgroups. proc is /proc.
func Processes(proc string) (map[string]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	first, since := map[string]int{}, map[string]uint64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		began, ok := startTime(proc, pid)
		if !ok {
			continue
		}
		for _, id := range cgroupsOf(proc, pid) {
			if at, seen := since[id]; !seen || began < at || began == at && pid < first[id] {
				first[id], since[id] = pid, began
			}
		}
	}
	return first, nil
}

// cgroupsOf are the names of all cgroups that a process is in, or below.
func cgroupsOf(proc string, pid int) []string {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		for name := range strings.SplitSeq(parts[2], "/") {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// startTime is field 22 of man 5 proc_pid_stat.
func startTime(proc string, pid int) (uint64, bool) {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const at = 22 - 3
	if len(fields) <= at {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[at], 10, 64)
	return n, err == nil
}

// labels tells whose the label of a process is: SELinux' has a user, a role, a type and perhaps a level, AppArmor's a profile
// and its mode.
func labels(text string) (appArmor, seLinux string) {
	label := strings.TrimSpace(strings.TrimRight(text, "\x00\n"))
	switch parts := strings.Split(label, ":"); {
	case label == "unconfined":
		return "", ""
	case len(parts) >= 3 && !strings.ContainsAny(label, " /") && parts[0] != "":
		return "", label
	}
	return label, ""
}

// Read reads what confines a process. proc is /proc.
func Read(proc string, pid int) (*Facts, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return nil, fmt.Errorf("cannot see what confines process %d: %w", pid, err)
	}
	f := &Facts{PID: pid}
	value := func(key string) string {
		_, rest, _ := strings.Cut("\n"+string(status), "\n"+key+":")
		text, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(text)
	}
	uid, _, _ := strings.Cut(value("Uid"), "\t")
	f.UID, _ = strconv.Atoi(uid)
	f.Capabilities, f.Effective = capabilities(value("CapBnd")), capabilities(value("CapEff"))
	f.Seccomp = map[string]string{"1": "strict", "2": "filter"}[value("Seccomp")]
	if f.Seccomp == "" {
		f.Seccomp = "none"
	}
	f.NoNewPrivs = value("NoNewPrivs") == "1"
	if text, err := os.ReadFile(filepath.Join(dir, "attr/current")); err == nil {
		f.AppArmor, f.SELinux = labels(string(text))
	}
	for name, called := range map[string]string{"net": "network", "ipc": "IPC", "uts": "UTS", "pid": "PID", "mnt": "mount"} {
		if own, err := os.Readlink(filepath.Join(dir, "ns", name)); err == nil && own == namespaceOf(proc, name) {
			f.Host = append(f.Host, called)
		}
	}
	slices.Sort(f.Host)
	if own, err := os.Readlink(filepath.Join(dir, "ns/user")); err == nil && own != namespaceOf(proc, "user") {
		f.readUsers(filepath.Join(dir, "uid_map"))
	}
	mounts, err := os.ReadFile(filepath.Join(dir, "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot see what is mounted for process %d: %w", pid, err)
	}
	f.Devices = devices(filepath.Join(dir, "root"))
	f.readMounts(string(mounts))
	return f, nil
}

func namespaceOf(proc, name string) string {
	ns, _ := os.Readlink(filepath.Join(proc, "self/ns", name))
	return ns
}

// readUsers says which ids are the container's, and makes its user one that it sees itself.
func (f *Facts) readUsers(file string) {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			continue
		}
		if f.OwnUsers == "" {
			f.OwnUsers = fmt.Sprintf("%d ids from %d", count, outside)
		}
		if f.UID >= outside && f.UID < outside+count {
			f.UID += inside - outside
			return
		}
	}
}

func capabilities(mask string) []string {
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return nil
	}
	names := []string{}
	for _, c := range capability.ListKnown() {
		if bits&(1<<uint(c)) != 0 {
			names = append(names, strings.ToUpper(c.String()))
		}
	}
	return names
}

// common are the places where every container has something mounted.
func common(at string) bool {
	switch at {
	case "/", "/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/dev/console", "/dev/termination-log", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf":
		return true
	}
	name, inDev := strings.CutPrefix(at, "/dev/")
	return strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/sys/") || inDev && slices.Contains(ordinary[:], name)
}

// inKernel says that a place is within /proc or /sys, where the manifest's own mounts are told from those that hide.
func inKernel(at string) bool {
	return (strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/sys/")) && !strings.HasPrefix(at, "/sys/fs/cgroup")
}

// readMounts: man 5 proc_pid_mountinfo.
func (f *Facts) readMounts(text string) {
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		have, of := strings.Fields(before), strings.Fields(after)
		if len(have) < 6 || len(of) < 1 {
			continue
		}
		at, readOnly := unescape(have[4]), slices.Contains(strings.Split(have[5], ","), "ro")
		switch {
		case at == "/":
			f.ReadOnlyRoot = readOnly
		case inKernel(at) && readOnly && (of[0] == "proc" || of[0] == "sysfs"): // mounted over itself
			f.ReadOnly = append(f.ReadOnly, at)
		case inKernel(at) && (path.Base(have[3]) == "null" || readOnly && of[0] == "tmpfs"): // /dev/null or an empty folder lies over it
			f.Masked = append(f.Masked, at)
		case slices.ContainsFunc(f.Mounts, func(m Mount) bool { return at == m.At || strings.HasPrefix(at, m.At+"/") }):
			// What lies below a mount came with it.
		case (inKernel(at) || !common(at)) && !slices.Contains(f.Devices, at):
			f.Mounts = append(f.Mounts, Mount{At: at, Type: of[0], Writable: !readOnly})
		}
	}
	slices.Sort(f.Masked)
	slices.Sort(f.ReadOnly)
}

// unescape undoes the kernel's \040 and the like.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ordinary are the device nodes of every container.
var ordinary = [...]string{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}

// devices lists the device nodes in /dev of a root, two folders deep. What the root leads to is the container's to say:
// it is never left.
func devices(root string) []string {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(dir) }()
	list := nodesIn(dir, "dev", 2)
	slices.Sort(list)
	return list
}

func nodesIn(root int, name string, depth int) (list []string) {
	fd, err := unix.Openat2(root, name, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	entries, err := f.ReadDir(1000) // more than there are: a container may make as many as it likes
	if err != nil {
		return nil
	}
	for _, e := range entries {
		at := path.Join(name, e.Name())
		// The folder's entry is what a node may be mounted on.
		var st unix.Stat_t
		if unix.Fstatat(fd, e.Name(), &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		kind := st.Mode & unix.S_IFMT
		switch {
		case (kind == unix.S_IFCHR || kind == unix.S_IFBLK) && (name != "dev" || !slices.Contains(ordinary[:], e.Name())):
			list = append(list, "/"+at)
		case kind == unix.S_IFDIR && depth > 1 && at != "dev/pts":
			list = append(list, nodesIn(root, at, depth-1)...)
		}
	}
	return list
}

// Tighter says what a manifest could have that would confine the container more.
func (f *Facts) Tighter(kernelArmed bool) []string {
	var list []string
	say := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	all := len(f.Capabilities) >= len(capability.ListKnown())-1
	say(all, "privileged: false, with the capabilities and devices that it needs")
	for _, ns := range f.Host {
		switch ns {
		case "network", "PID", "IPC":
			say(true, "host"+strings.ToUpper(ns[:1])+ns[1:]+": false")
		}
	}
	say(f.OwnUsers == "", "hostUsers: false (user 0 of the container is root of the machine)")
	say(f.UID == 0, "runAsNonRoot: true, with a runAsUser")
	say(len(f.Capabilities) > 0, "capabilities: {drop: [ALL]}, and add those that it needs")
	say(!f.NoNewPrivs, "allowPrivilegeEscalation: false")
	say(f.Seccomp == "none", "seccompProfile: {type: RuntimeDefault}")
	say(f.AppArmor == "" && kernelArmed, "appArmorProfile: {type: RuntimeDefault}")
	say(!f.ReadOnlyRoot, "readOnlyRootFilesystem: true, with an emptyDir for what it writes")
	say(len(f.Masked) == 0, "procMount: Default")
	return list
}
