package namespace

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

var allNamespaces = SandboxOptions{Hostname: "web-0", Net: true, IPC: true, UTS: true}

// inode identifies a namespace.
func inode(t testing.TB, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func inodes(t testing.TB, dir string) [3]uint64 {
	t.Helper()
	var all [3]uint64
	for i, k := range allKinds {
		all[i] = inode(t, filepath.Join(dir, k.name))
	}
	return all
}

// within runs fn in all three namespaces of a sandbox.
func within(t *testing.T, dir string, fn func() error) {
	t.Helper()
	err := OnThread(func() error {
		for _, k := range allKinds {
			f, err := os.Open(filepath.Join(dir, k.name))
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), k.flag); err != nil {
				return err
			}
		}
		return fn()
	}, unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS)
	if err != nil {
		t.Error(err)
	}
}

func TestSandbox(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	o := allNamespaces
	o.Domainname = "example.org"
	o.Sysctls = map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "0", "net/ipv4/conf/lo/rp_filter": "1", "kernel.shmmni": "77", "kernel.msgmax": "9000",
	}
	var outside unix.Utsname
	if err := unix.Uname(&outside); err != nil {
		t.Fatal(err)
	}
	var own [3]uint64
	for i, k := range allKinds {
		own[i] = inode(t, "/proc/self/ns/"+k.name)
	}
	if err := EnsureSandbox(dir, o); err != nil {
		t.Fatal(err)
	}
	first := inodes(t, dir)
	for i := range first {
		if first[i] == own[i] {
			t.Errorf("%s is the namespace of the test", allKinds[i].name)
		}
	}
	if err := EnsureSandbox(dir, o); err != nil {
		t.Fatal(err)
	}
	if again := inodes(t, dir); again != first {
		t.Errorf("a second EnsureSandbox made new namespaces: %v, then %v", first, again)
	}
	within(t, dir, func() error {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return err
		}
		host, domain := unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:])
		if host != "web-0" || domain != "example.org" {
			t.Errorf("names = %q, %q", host, domain)
		}
		for file, want := range map[string]string{
			"net/ipv4/ip_unprivileged_port_start": "0", "net/ipv4/conf/lo/rp_filter": "1", "kernel/shmmni": "77", "kernel/msgmax": "9000",
		} {
			if got, err := os.ReadFile("/proc/sys/" + file); err != nil || strings.TrimSpace(string(got)) != want {
				t.Errorf("%s = %q, %v, want %s", file, got, err, want)
			}
		}
		c, err := rtnetlink.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		if lo, err := c.GetLink("lo"); err != nil || !lo.Up || lo.Index != rtnetlink.LoopbackIndex {
			t.Errorf("lo = %+v, %v", lo, err)
		}
		return nil
	})
	var after unix.Utsname
	if err := unix.Uname(&after); err != nil || after != outside {
		t.Error("the test's own names have changed")
	}
	for range 2 {
		if err := RemoveSandbox(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sandbox is left: %v", err)
	}
}

// Whatever a crash leaves out is made, whatever it left is kept.
func TestHalfMadeSandbox(t *testing.T) {
	root := nstest.SandboxRoot(t, RemoveSandbox)
	for i, k := range allKinds {
		dir := filepath.Join(root, k.name)
		if err := EnsureSandbox(dir, allNamespaces); err != nil {
			t.Fatal(err)
		}
		before := inodes(t, dir)
		path := filepath.Join(dir, k.name)
		held, err := os.Open(path) // or a new one could get the same number
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := os.Remove(path); err != nil { // or the file itself was not made
				t.Fatal(err)
			}
		}
		if err := EnsureSandbox(dir, allNamespaces); err != nil {
			t.Fatal(err)
		}
		after := inodes(t, dir)
		held.Close()
		for j := range after {
			if kept := after[j] == before[j]; kept == (i == j) {
				t.Errorf("without %s: %s kept = %v", k.name, allKinds[j].name, kept)
			}
		}
		if held, err := HoldsNamespace(path); !held || err != nil {
			t.Errorf("%s is not held: %v", path, err)
		}
	}
}

func TestRemoveTakesStackedMountsAway(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	if err := EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	net := filepath.Join(dir, "net")
	if err := unix.Mount(net, net, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := RemoveSandbox(dir); err != nil {
		t.Fatal(err)
	}
	if n := nstest.MountsBelow(t, dir); n != 0 {
		t.Errorf("%d mounts are left", n)
	}
}

func TestOnlyWhatIsWanted(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	if err := EnsureSandbox(dir, SandboxOptions{IPC: true}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "ipc" {
		t.Errorf("sandbox holds %v, %v; want ipc", entries, err)
	}
}

// Without privileges, a process of a pod has ports below 1024 and ping, as with other container runtimes, unless the pod says
// otherwise. With ids of its own, a pod's range is counted in them; the test reads the machine's.
func TestSysctlsOfANewNetwork(t *testing.T) {
	users := &Users{First: 0x70000000, Count: 1 << 16}
	for name, tt := range map[string]struct {
		sysctls       map[string]string
		users         *Users
		start, groups string
	}{
		"plain":             {start: "0", groups: "0 2147483647"},
		"its own":           {sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024", "net/ipv4/ping_group_range": "1 0"}, start: "1024", groups: "1 0"},
		"users":             {users: users, start: "0", groups: "1879048192 1879113727"},
		"users and its own": {users: users, sysctls: map[string]string{"net.ipv4.ping_group_range": "5 10"}, start: "0", groups: "1879048197 1879048202"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
			o := allNamespaces
			o.Sysctls, o.Users = tt.sysctls, tt.users
			if err := EnsureSandbox(dir, o); err != nil {
				t.Fatal(err)
			}
			within(t, dir, func() error {
				for path, want := range map[string]string{portStart: tt.start, pingRange: tt.groups} {
					if got, err := os.ReadFile(path); err != nil || strings.Join(strings.Fields(string(got)), " ") != want {
						t.Errorf("%s is %q (%v), not %q", path, got, err, want)
					}
				}
				return nil
			})
		})
	}
	for _, value := range []string{"", "0", "0 65536", "-1 5", "0 5 7", "0 x", "0 4294967296"} {
		o := allNamespaces
		o.Sysctls, o.Users = map[string]string{"net.ipv4.ping_group_range": value}, users
		if err := EnsureSandbox(filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod"), o); err == nil || !strings.Contains(err.Error(), "two groups from 0 to 65535") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestSysctlsThatAreRefused(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	for _, name := range []string{"kernel.hostname", "vm.swappiness", "net/../kernel/panic", "", "net", "kernel.panic", "/net/x", "net//x"} {
		o := allNamespaces
		o.Sysctls = map[string]string{name: "1"}
		if err := EnsureSandbox(dir, o); !errors.Is(err, ErrNotNamespaced) {
			t.Errorf("%q: err = %v, want ErrNotNamespaced", name, err)
		}
	}
	err := EnsureSandbox(dir, SandboxOptions{IPC: true, Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}})
	if !errors.Is(err, ErrNotNamespaced) {
		t.Errorf("a sysctl of the host's network was taken: %v", err)
	}
	o := allNamespaces
	o.Sysctls = map[string]string{"net.no.such.thing": "1"}
	if err := EnsureSandbox(dir, o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v, want os.ErrNotExist", err)
	}
	if n := nstest.MountsBelow(t, dir); n != 0 {
		t.Errorf("%d mounts of a sandbox that failed", n)
	}
}

// With / shared, as systemd has it, a mount namespace that follows ours sees no pod, and one that
// was copied from ours while a pod ran does not hold the pod's namespaces.
func TestPropagation(t *testing.T) {
	for _, mode := range []struct {
		name string
		flag uintptr
	}{{"shared", unix.MS_SHARED}, {"private", unix.MS_PRIVATE}} {
		t.Run(mode.name, func(t *testing.T) {
			root := nstest.SandboxRoot(t, RemoveSandbox)
			if err := unix.Mount("", "/", "", mode.flag|unix.MS_REC, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") })
			early := newMountNamespace(t)
			dir := filepath.Join(root, "pod")
			if err := EnsureSandbox(dir, allNamespaces); err != nil {
				t.Fatal(err)
			}
			if n := mountsSeenBy(t, early, dir); n != 0 {
				t.Errorf("an older mount namespace sees %d mounts of the pod", n)
			}
			late := newMountNamespace(t)
			if n := mountsSeenBy(t, late, dir); n != 3 {
				t.Errorf("a copy has %d mounts of the pod, want 3: nothing is tested", n)
			}
			if err := RemoveSandbox(dir); err != nil {
				t.Fatal(err)
			}
			if n := mountsSeenBy(t, late, dir); n != 0 {
				t.Errorf("a copy still holds %d mounts of the pod", n)
			}
		})
	}
}

// newMountNamespace starts a process that is a slave of our mounts, as a systemd service is.
func newMountNamespace(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "mount --make-rslave / && echo ready && read x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	var word string
	if _, err := fmt.Fscan(out, &word); err != nil || word != "ready" {
		t.Fatalf("helper said %q, %v", word, err)
	}
	return cmd.Process.Pid
}

func mountsSeenBy(t *testing.T, pid int, dir string) int {
	t.Helper()
	return nstest.CountMounts(t, fmt.Sprintf("/proc/%d/mountinfo", pid), dir)
}

func TestDo(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	if err := EnsureSandbox(dir, SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "net")
	before := inode(t, "/proc/self/ns/net")
	want := errors.New("passed on")
	err := Do(path, func() error {
		if got := inode(t, "/proc/thread-self/ns/net"); got != inode(t, path) {
			t.Errorf("fn ran in namespace %d, want %d", got, inode(t, path))
		}
		return want
	})
	if !errors.Is(err, want) {
		t.Errorf("err = %v, want fn's", err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		var st unix.Stat_t
		if unix.Stat(task, &st) == nil && st.Ino != before {
			t.Errorf("thread %s stayed in the pod's namespace", task)
		}
	}
	if err := Do(filepath.Join(dir, "none"), func() error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v, want os.ErrNotExist", err)
	}
}

// What stands where a namespace should be is not taken for one, not waited for, and in nobody's way.
func TestWhatIsNoNamespace(t *testing.T) {
	root := nstest.SandboxRoot(t, RemoveSandbox)
	for name, put := range map[string]func(path string) error{
		"file":   func(p string) error { return os.WriteFile(p, nil, 0o400) },
		"FIFO":   func(p string) error { return unix.Mkfifo(p, 0o600) },
		"link":   func(p string) error { return os.Symlink("/proc/self/ns/net", p) },
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		dir := filepath.Join(root, name)
		path := filepath.Join(dir, "net")
		if err := errors.Join(os.MkdirAll(dir, 0o700), put(path)); err != nil {
			t.Fatal(err)
		}
		if err := EnsureSandbox(dir, SandboxOptions{Net: true}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		own, err1 := os.Stat("/proc/thread-self/ns/net")
		got, err2 := os.Stat(path)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if held, err := HoldsNamespace(path); err != nil || !held || os.SameFile(got, own) {
			t.Errorf("%s: it holds %v, %v", name, held, err)
		}
	}
}
