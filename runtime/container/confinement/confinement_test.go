package confinement

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// fakeProc is a /proc of files; a name that begins with -> is a link.
func fakeProc(t *testing.T, files map[string]string) string {
	t.Helper()
	proc := t.TempDir()
	for name, text := range files {
		path := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(text, "->"); isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

// stat is a line of man 5 proc_pid_stat: the name of the command, then state to the start time.
func stat(name string, start uint64) string {
	return fmt.Sprintf("7 (%s) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", name, start)
}

// The first process of a cgroup is the one that started first, and of two in the same clock tick the one with the lower
// number. It counts for the cgroups above its own as well.
func TestProcesses(t *testing.T) {
	t.Parallel()
	proc := fakeProc(t, map[string]string{
		"self/cgroup": "0::/not-a-number\n", "uptime": "1 1\n",
		"10/stat": stat("init", 500), "10/cgroup": "12:pids:/podd/pod1/c1\n1:name=systemd:/podd/pod1/c1\n0::/\n",
		"9/stat": stat("later, with a lower number", 600), "9/cgroup": "0::/podd/pod1/c1\n",
		"11/stat": stat("a) b (c", 400), "11/cgroup": "0::/podd/pod1/c2/inner\n",
		"12/stat": stat("before it", 300), "12/cgroup": "0::/podd/pod1/c2\n",
		"100/stat": stat("x", 700), "100/cgroup": "0::/podd/pod2/c3\n",
		"99/stat": stat("y", 700), "99/cgroup": "0::/podd/pod2/c3\n",
		"30/stat": "damaged", "30/cgroup": "0::/podd/pod3/c4\n",
		"31/stat": stat("no cgroups", 1), "32/cgroup": "0::/podd/pod3/c5\n",
		"33/stat": stat("odd lines", 800), "33/cgroup": "\nnonsense\n5:cpu\n3:a:b:/podd/with:colon\n",
		"34/stat": "34 (negative) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 -5 0 0\n", "34/cgroup": "0::/podd/pod3/c6\n",
	})
	got, err := Processes(proc)
	want := map[string]int{"podd": 12, "pod1": 12, "c1": 10, "c2": 12, "inner": 11, "pod2": 99, "c3": 99, "b:": 33, "with:colon": 33}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if _, err := Processes(proc + "/none"); err == nil || !strings.HasPrefix(err.Error(), "cannot list processes: ") {
		t.Errorf("without /proc: %v", err)
	}
}

const status = "Name:\tapp\nUid:\t%s\t0\t0\t0\nCapBnd:\t%s\nCapEff:\t%s\nNoNewPrivs:\t%s\nSeccomp:\t%s\nSeccomp_filters:\t1\n"

// facts are what is read of a process with this status and these files of it.
func facts(t *testing.T, status string, files map[string]string) *Facts {
	t.Helper()
	all := map[string]string{"5/status": status, "5/mountinfo": "", "5/root/dev/pts/0": ""}
	for _, ns := range []string{"net", "ipc", "uts", "pid", "mnt", "user"} {
		all["self/ns/"+ns] = "->" + ns + ":[1]"
		all["5/ns/"+ns] = "->" + ns + ":[2]"
	}
	all["5/ns/user"] = "->user:[1]"
	for name, text := range files {
		all["5/"+name] = text
	}
	f, err := Read(fakeProc(t, all), 5)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReadStatus(t *testing.T) {
	t.Parallel()
	// Bits of linux/capability.h: CHOWN 0, KILL 5, NET_BIND_SERVICE 10, SYS_ADMIN 21.
	f := facts(t, fmt.Sprintf(status, "33", "0000000000200421", "0000000000000020", "1", "2"), nil)
	if f.PID != 5 || f.UID != 33 || f.Seccomp != "filter" || !f.NoNewPrivs || f.AppArmor != "" || f.SELinux != "" || f.OwnUsers != "" || f.ReadOnlyRoot {
		t.Errorf("%+v", f)
	}
	if want := []string{"CHOWN", "KILL", "NET_BIND_SERVICE", "SYS_ADMIN"}; !slices.Equal(slices.Sorted(slices.Values(f.Capabilities)), want) || !slices.Equal(f.Effective, []string{"KILL"}) {
		t.Errorf("capabilities %v, effective %v", f.Capabilities, f.Effective)
	}
	for value, want := range map[string]string{"0": "none", "1": "strict", "2": "filter", "": "none"} {
		if f := facts(t, fmt.Sprintf(status, "0", "0", "0", "0", value), nil); f.Seccomp != want || f.NoNewPrivs {
			t.Errorf("Seccomp %q: %q, NoNewPrivs %t", value, f.Seccomp, f.NoNewPrivs)
		}
	}
	// None are an empty list, not null, for who reads the JSON; what cannot be read is null.
	if got := capabilities("0000000000000000"); got == nil || len(got) != 0 {
		t.Errorf("none are %#v", got)
	}
	for _, bad := range []string{"", "xyz", "10000000000000000"} {
		if got := capabilities(bad); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if got := capabilities("ffffffffffffffff"); len(got) != len(capability.ListKnown()) {
		t.Errorf("all are %v", got)
	}
	if f := facts(t, "", nil); f.UID != 0 || f.Capabilities != nil || f.Seccomp != "none" {
		t.Errorf("an empty status: %+v", f)
	}
}

func TestReadLabelsAndNamespaces(t *testing.T) {
	t.Parallel()
	plain := fmt.Sprintf(status, "100005", "0", "0", "0", "0")
	f := facts(t, plain, map[string]string{"attr/current": "podd-default (enforce)\n", "ns/net": "->net:[1]", "ns/uts": "->uts:[1]", "ns/pid": "->pid:[1]"})
	if f.AppArmor != "podd-default (enforce)" || f.SELinux != "" || !slices.Equal(f.Host, []string{"PID", "UTS", "network"}) {
		t.Errorf("%+v", f)
	}
	if f := facts(t, plain, nil); f.Host != nil {
		t.Errorf("namespaces of its own: %v", f.Host)
	}
	for _, tc := range []struct {
		name, uidMap string
		uid          int
		users        string
	}{
		{"one range", "         0     100000      65536\n", 5, "65536 ids from 100000"},
		{"the second range", "0 5000 10\n200 100000 50\n", 205, "10 ids from 5000"},
		{"the last of a range", "0 100000 6\n", 5, "6 ids from 100000"},
		{"beyond the range", "0 100000 5\n", 100005, "5 ids from 100000"},
		{"damaged", "x y z\n\n0 100000 65536\n", 5, "65536 ids from 100000"},
		{"nothing", "", 100005, ""},
	} {
		f := facts(t, plain, map[string]string{"ns/user": "->user:[9]", "uid_map": tc.uidMap})
		if f.UID != tc.uid || f.OwnUsers != tc.users {
			t.Errorf("%s: user %d of %q, want %d of %q", tc.name, f.UID, f.OwnUsers, tc.uid, tc.users)
		}
	}
	// In the machine's own user namespace the map says nothing of the container.
	if f := facts(t, plain, map[string]string{"uid_map": "0 100000 65536\n"}); f.UID != 100005 || f.OwnUsers != "" {
		t.Errorf("without a namespace of its own: %+v", f)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Read(fakeProc(t, nil), 5); err == nil || !strings.HasPrefix(err.Error(), "cannot see what confines process 5: ") {
		t.Errorf("no such process: %v", err)
	}
	// It went away between the two.
	if _, err := Read(fakeProc(t, map[string]string{"5/status": "Uid:\t0\n"}), 5); err == nil || !strings.HasPrefix(err.Error(), "cannot see what is mounted for process 5: ") {
		t.Errorf("no mounts: %v", err)
	}
}

// This process is one, and the kernel's /proc has what is read of it.
func TestReadSelf(t *testing.T) {
	t.Parallel()
	f, err := Read("/proc", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if f.UID != os.Getuid() || !slices.Equal(f.Host, []string{"IPC", "PID", "UTS", "mount", "network"}) || f.OwnUsers != "" {
		t.Errorf("%+v", f)
	}
	first, err := Processes("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cgroupsOf("/proc", os.Getpid()) {
		if first[name] == 0 {
			t.Errorf("nobody is in cgroup %q", name)
		}
	}
}

func TestReadMounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		lines []string
		want  Facts
	}{
		{"root", []string{"1 0 0:1 / / rw,relatime - overlay overlay rw"}, Facts{}},
		{"read-only root", []string{"1 0 0:1 / / ro,relatime shared:1 - overlay overlay rw"}, Facts{ReadOnlyRoot: true}},
		{"only the file system is", []string{"1 0 0:1 / / rw - overlay overlay ro"}, Facts{}},
		{"only begins like ro", []string{"1 0 0:1 / / rootcontext,rw - overlay overlay rw"}, Facts{}},
		{
			"what every container has",
			[]string{"2 1 0:2 / /proc rw - proc proc rw", "3 1 0:3 / /dev rw - tmpfs tmpfs rw", "3 1 0:3 / /dev/pts rw - devpts x rw", "4 1 8:1 /h /etc/hosts rw - ext4 x rw", "5 3 0:5 /devs/null /dev/null rw - devtmpfs x rw"},
			Facts{},
		},
		{
			"hidden",
			[]string{"2 1 0:2 / /proc/acpi ro - tmpfs tmpfs ro", "3 1 0:3 /devs/null /proc/kcore rw - devtmpfs udev rw", "3 1 0:3 / /sys/firmware ro - tmpfs tmpfs ro"},
			Facts{Masked: []string{"/proc/acpi", "/proc/kcore", "/sys/firmware"}},
		},
		{
			"read-only",
			[]string{"2 1 0:2 /sys /proc/sys ro - proc proc rw", "3 1 0:2 /bus /proc/bus ro - proc proc rw"},
			Facts{ReadOnly: []string{"/proc/bus", "/proc/sys"}},
		},
		{
			"a part of /sys that the manifest mounts",
			[]string{"2 1 0:2 /class/gpio /sys/class/gpio rw - sysfs sysfs rw", "3 1 0:2 / /sys/kernel/debug rw - debugfs debugfs rw"},
			Facts{Mounts: []Mount{{At: "/sys/class/gpio", Type: "sysfs", Writable: true}, {At: "/sys/kernel/debug", Type: "debugfs", Writable: true}}},
		},
		{
			"cgroups are not hidden",
			[]string{"2 1 0:2 / /sys/fs/cgroup ro - tmpfs tmpfs ro", "3 2 0:3 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw"},
			Facts{},
		},
		{
			"volumes",
			[]string{"2 1 8:1 /v /data rw,nodev - ext4 /dev/sda1 rw", "3 1 8:1 /c /etc/config ro - tmpfs x rw", "4 2 8:2 / /data/more rw - xfs x rw", "5 1 8:2 / /database rw - xfs x rw"},
			Facts{Mounts: []Mount{{"/data", "ext4", true}, {"/etc/config", "tmpfs", false}, {"/database", "xfs", true}}},
		},
		{"a name with a space", []string{`2 1 8:1 / /my\040data\134 rw - ext4 x rw`}, Facts{Mounts: []Mount{{`/my data\`, "ext4", true}}}},
		{"damaged lines", []string{"", "1 2 3", "1 0 0:1 / / ro - ", "1 0 0:1 / /x", " - ext4 x rw"}, Facts{}},
	} {
		var f Facts
		f.readMounts(strings.Join(tc.lines, "\n"))
		if !reflect.DeepEqual(f, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, f, tc.want)
		}
	}
	// A device that was mounted is a device and no mount.
	f := Facts{Devices: []string{"/dev/video0"}}
	if f.readMounts("1 0 0:1 /video0 /dev/video0 rw - devtmpfs udev rw\n"); f.Mounts != nil {
		t.Errorf("mounts %v", f.Mounts)
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "/plain": "/plain", `\040`: " ", `a\011b\012c`: "a\tb\nc", `\134040`: `\040`, `\`: `\`, `\04`: `\04`, `\999`: `\999`, `\777`: `\777`, `größe\040`: "größe ",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Device nodes are found two folders deep, beside those that every container has; a link is never followed out of the root.
func TestDevices(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	node := func(path string, kind uint32) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mknod(path, kind|0o600, int(unix.Mkdev(1, 3))); err != nil {
			t.Skipf("device nodes cannot be made here: %v", err)
		}
	}
	for _, name := range []string{"null", "tty", "video0", "bus/001", "bus/null", "bus/usb/002", "pts/0"} {
		node(filepath.Join(root, "dev", name), unix.S_IFCHR)
	}
	node(filepath.Join(root, "dev/sda"), unix.S_IFBLK)
	node(filepath.Join(root, "etc/elsewhere"), unix.S_IFCHR)
	node(filepath.Join(outside, "secret"), unix.S_IFCHR)
	for name, target := range map[string]string{"dev/link": "video0", "dev/out": outside, "dev/core": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "dev/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := devices(root), []string{"/dev/bus/001", "/dev/bus/null", "/dev/sda", "/dev/video0"}; !slices.Equal(got, want) {
		t.Errorf("devices %v, want %v", got, want)
	}
	if got := devices(root + "/none"); got != nil {
		t.Errorf("without a root: %v", got)
	}
	// The whole of /dev may be a link, which a container made.
	linked := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(linked, "dev")); err != nil {
		t.Fatal(err)
	}
	if got := devices(linked); len(got) != 0 {
		t.Errorf("behind a link: %v", got)
	}
}

// Each remedy is named exactly while it would change something.
func TestTighter(t *testing.T) {
	t.Parallel()
	tight := Facts{UID: 1000, OwnUsers: "65536 ids from 65536", Seccomp: "filter", AppArmor: "podd-default (enforce)", NoNewPrivs: true, ReadOnlyRoot: true, Masked: []string{"/proc/kcore"}}
	if got := tight.Tighter(true); got != nil {
		t.Errorf("nothing is left to do: %q", got)
	}
	all := capabilities("ffffffffffffffff")
	const capabilitiesLine = "capabilities: {drop: [ALL]}, and add those that it needs"
	for _, tc := range []struct {
		name   string
		armed  bool
		change func(f *Facts)
		want   []string
	}{
		{"root", true, func(f *Facts) { f.UID = 0 }, []string{"runAsNonRoot: true, with a runAsUser"}},
		{"the machine's ids", true, func(f *Facts) { f.OwnUsers = "" }, []string{"hostUsers: false (user 0 of the container is root of the machine)"}},
		{"one capability", true, func(f *Facts) { f.Capabilities = []string{"KILL"} }, []string{capabilitiesLine}},
		{"all", true, func(f *Facts) { f.Capabilities = all }, []string{"privileged: false, with the capabilities and devices that it needs", capabilitiesLine}},
		{"all but one, which this kernel lacks", true, func(f *Facts) { f.Capabilities = all[1:] }, []string{"privileged: false, with the capabilities and devices that it needs", capabilitiesLine}},
		{"all but two", true, func(f *Facts) { f.Capabilities = all[2:] }, []string{capabilitiesLine}},
		{"may gain privileges", true, func(f *Facts) { f.NoNewPrivs = false }, []string{"allowPrivilegeEscalation: false"}},
		{"no seccomp", true, func(f *Facts) { f.Seccomp = "none" }, []string{"seccompProfile: {type: RuntimeDefault}"}},
		{"strict seccomp", true, func(f *Facts) { f.Seccomp = "strict" }, nil},
		{"no AppArmor", true, func(f *Facts) { f.AppArmor = "" }, []string{"appArmorProfile: {type: RuntimeDefault}"}},
		{"a kernel without AppArmor", false, func(f *Facts) { f.AppArmor = "" }, nil},
		{"a root to write to", true, func(f *Facts) { f.ReadOnlyRoot = false }, []string{"readOnlyRootFilesystem: true, with an emptyDir for what it writes"}},
		{"nothing hidden", true, func(f *Facts) { f.Masked = nil }, []string{"procMount: Default"}},
		{"the machine's namespaces", true, func(f *Facts) { f.Host = []string{"IPC", "PID", "UTS", "mount", "network"} }, []string{"hostIPC: false", "hostPID: false", "hostNetwork: false"}},
	} {
		f := tight
		tc.change(&f)
		if got := f.Tighter(tc.armed); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
