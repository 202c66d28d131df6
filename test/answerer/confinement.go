package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"podd/test/confined"
)

// printConfinement says what confines this process, in sections that begin with a line in brackets. Nothing in it changes
// from one run to the next on one kernel. It is meant to be run by anything that makes containers.
func printConfinement() {
	runtime.LockOSThread() // a thread has credentials, and a filter
	section("process")
	printProcess()
	section("limits")
	printLimits()
	section("namespaces")
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		target, err := os.Readlink("/proc/self/ns/" + name)
		fmt.Println(name, valueOr(target, err))
	}
	section("descriptors")
	printDescriptors()
	section("mounts")
	printMounts()
	section("devices")
	printDevices()
	section("paths")
	printPaths()
	section("abilities")
	printAbilities()
	section("syscalls")
	printSyscalls()
}

func section(name string) { fmt.Printf("[%s]\n", name) }

func valueOr(value string, err error) string {
	if err != nil {
		return outcome(err)
	}
	return value
}

func printProcess() {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		fmt.Println("status", outcome(err))
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "Uid", "Gid", "Groups", "Umask", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp":
			fmt.Println(key, strings.Join(strings.Fields(value), " "))
		}
	}
	for _, file := range []string{"uid_map", "gid_map", "setgroups", "oom_score_adj"} {
		data, err := os.ReadFile("/proc/self/" + file)
		fmt.Println(file, valueOr(strings.Join(strings.Fields(string(data)), " "), err))
	}
	label, err := os.ReadFile("/proc/self/attr/apparmor/current")
	fmt.Println("apparmor", valueOr(strings.TrimSpace(string(label)), err))
	ring, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	fmt.Println("session keyring", valueOr(strconv.FormatBool(ring > 0), err))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println("dumpable", valueOr(strconv.Itoa(dumpable), err))
	var names []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Println("environment", strings.Join(names, " "))
	dir, err := os.Getwd()
	fmt.Println("folder", valueOr(dir, err))
}

// limits are those of Linux, by the names of man 5 limits.conf and man 2 getrlimit.
var limits = []struct {
	name string
	nr   int
}{
	{"core", unix.RLIMIT_CORE},
	{"memlock", unix.RLIMIT_MEMLOCK},
	{"nice", unix.RLIMIT_NICE},
	{"nofile", unix.RLIMIT_NOFILE},
	{"rtprio", unix.RLIMIT_RTPRIO},
	{"stack", unix.RLIMIT_STACK},
}

func printLimits() {
	for _, limit := range limits {
		var r unix.Rlimit
		err := unix.Prlimit(0, limit.nr, nil, &r)
		fmt.Println(limit.name, valueOr(fmt.Sprintf("%d %d", int64(r.Cur), int64(r.Max)), err))
	}
}

// printDescriptors lists what was open before this process opened anything.
func printDescriptors() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fmt.Println(outcome(err))
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" || strings.HasPrefix(target, "/proc/") {
			continue // of this listing, and of Go's runtime
		}
		kind, _, _ := strings.Cut(target, ":")
		fmt.Println(entry.Name(), kind)
	}
}

// printMounts lists mount points, file systems and flags, without what differs from machine to machine.
func printMounts() {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		fmt.Println(outcome(err))
	}
	for line := range strings.Lines(string(data)) {
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		first, last := strings.Fields(before), strings.Fields(after)
		flags := strings.Split(first[5], ",")
		slices.Sort(flags)
		peers := "private"
		if len(first) > 6 {
			peers, _, _ = strings.Cut(first[6], ":")
		}
		writable := "ro"
		if slices.Contains(strings.Split(last[2], ","), "rw") {
			writable = "rw"
		}
		fmt.Println(first[4], last[0], writable, strings.Join(flags, ","), peers)
	}
}

// printDevices lists /dev, and says what comes of opening devices that are not in it.
func printDevices() {
	var lines []string
	_ = filepath.WalkDir("/dev", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(path, "/dev/pts/") || path == "/dev/console" {
			return nil // what cannot be listed is not there
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&fs.ModeDevice == 0 {
			return nil
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			lines = append(lines, fmt.Sprintf("%s %s %d:%d", path, info.Mode(), unix.Major(st.Rdev), unix.Minor(st.Rdev)))
		}
		return nil
	})
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	for _, device := range []struct {
		name         string
		mode         uint32
		major, minor uint32
	}{
		{"mem", unix.S_IFCHR, 1, 1},
		{"kmsg", unix.S_IFCHR, 1, 11},
		{"tty0", unix.S_IFCHR, 4, 0},
		{"fuse", unix.S_IFCHR, 10, 229},
		{"loop-control", unix.S_IFCHR, 10, 237},
		{"tun", unix.S_IFCHR, 10, 200},
		{"loop0", unix.S_IFBLK, 7, 0},
		{"sda", unix.S_IFBLK, 8, 0},
	} {
		path := "/tmp/device-" + device.name
		err := unix.Mknod(path, device.mode|0o600, int(unix.Mkdev(device.major, device.minor)))
		if err != nil {
			fmt.Println("mknod", device.name, outcome(err))
			continue
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		fmt.Println("open", device.name, allowed(err, unix.EPERM))
		_ = unix.Unlink(path)
	}
}

// allowed is whether an error is another than that of a refusal: a device that nobody drives is not refused.
func allowed(err error, refusal unix.Errno) string {
	if errors.Is(err, refusal) {
		return "refused"
	}
	return "allowed"
}

// printPaths says of files of the kernel what comes of reading and of opening for writing; nothing is written.
func printPaths() {
	for _, path := range []string{
		"/proc/acpi", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/interrupts", "/proc/irq", "/proc/kcore", "/proc/keys", "/proc/kmsg",
		"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block",
		"/sys/devices/system/cpu/cpu0/thermal_throttle", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/uevent_helper",
	} {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			fmt.Println(path, outcome(err))
		case info.IsDir():
			entries, err := os.ReadDir(path)
			what := "entries"
			if len(entries) == 0 {
				what = "empty"
			}
			made := os.Mkdir(path+"/podd-test", 0o700)
			if made == nil {
				_ = os.Remove(path + "/podd-test")
			}
			fmt.Println(path, valueOr(what, err), "mkdir", outcome(made))
		default:
			fmt.Println(path, "read", readable(path), "write", opened(path, unix.O_WRONLY))
		}
	}
}

// readable is what comes of reading a byte: of devices and files of the kernel that never end, too.
func readable(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return outcome(err)
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, make([]byte, 1))
	if err == nil && n == 0 {
		return "empty"
	}
	return outcome(err)
}

func opened(path string, flags int) string {
	fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return outcome(err)
}

// printAbilities tries what a hostile program tries first.
func printAbilities() {
	try := func(name string, err error) { fmt.Println(name, outcome(err)) }
	socket := func(family, kind, protocol int) error {
		fd, err := unix.Socket(family, kind, protocol)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	err := unix.Mount("none", "/tmp", "tmpfs", 0, "")
	try("mount tmpfs", err)
	if err == nil {
		_ = unix.Unmount("/tmp", unix.MNT_DETACH)
	}
	try("make root private", unix.Mount("", "/", "", unix.MS_PRIVATE, ""))
	try("unmount /proc/kcore", unix.Unmount("/proc/kcore", unix.MNT_DETACH))
	try("chroot", unix.Chroot("/"))
	try("socket AF_ALG", socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0))
	try("socket AF_VSOCK", socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0))
	try("socket AF_PACKET", socket(unix.AF_PACKET, unix.SOCK_RAW, 0))
	try("socket raw", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP))
	try("sethostname", unix.Sethostname([]byte("other")))
	try("bind 80", bind80())
	try("trace 1", unix.PtraceSeize(1))
	try("settimeofday", unix.Settimeofday(&unix.Timeval{Sec: -1}))
}

func bind80() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Port: 80})
}

// printSyscalls lists the system calls that are refused: each is made with arguments that it cannot take.
func printSyscalls() {
	const none = ^uintptr(0)
	answers := map[string][]string{}
	for nr := uintptr(0); nr < confined.Calls; nr++ {
		if slices.Contains(confined.Harmful[runtime.GOARCH], nr) {
			continue
		}
		_, _, errno := unix.RawSyscall6(nr, none, none, none, none, none, none)
		if errno == unix.EPERM || errno == unix.ENOSYS {
			answers[unix.ErrnoName(errno)] = append(answers[unix.ErrnoName(errno)], fmt.Sprint(nr))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		fmt.Println(name, strings.Join(answers[name], " "))
	}
}
