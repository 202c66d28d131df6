package namespace

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
)

// ownerOf is the inode of the user namespace that a namespace belongs to. man 2 NS_GET_USERNS
func ownerOf(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return inode(t, fmt.Sprintf("/proc/self/fd/%d", fd))
}

// childrenOf counts the processes that this one has, dead ones included.
func childrenOf(t *testing.T) int {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Skip("the kernel does not list children")
	}
	n := 0
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		n += len(strings.Fields(string(text)))
	}
	return n
}

func TestUserSandbox(t *testing.T) {
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	o := allNamespaces
	o.Users = &Users{First: 0x70000000, Count: 1 << 16}
	o.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "kernel.shmmni": "77", "fs.mqueue.msg_max": "20"}
	before := childrenOf(t)
	if err := EnsureSandbox(dir, o); err != nil {
		t.Fatal(err)
	}
	if after := childrenOf(t); after != before {
		t.Errorf("%d processes are left", after-before)
	}
	user := inode(t, filepath.Join(dir, "user"))
	if user == inode(t, "/proc/self/ns/user") {
		t.Error("the user namespace is that of the test")
	}
	first := inodes(t, dir)
	for _, k := range allKinds {
		if got := ownerOf(t, filepath.Join(dir, k.name)); got != user {
			t.Errorf("the %s namespace belongs to user namespace %d, not %d", k.name, got, user)
		}
	}
	within(t, dir, func() error {
		for path, want := range map[string]string{
			"/proc/sys/kernel/hostname": "web-0", "/proc/sys/kernel/shmmni": "77", "/proc/sys/fs/mqueue/msg_max": "20",
			"/proc/sys/net/ipv4/ip_unprivileged_port_start": "0",
		} {
			if got, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(got)) != want {
				t.Errorf("%s is %q (%v), not %q", path, got, err, want)
			}
		}
		if st, err := statQueues(); err != nil || int(st.Uid) != o.Users.First || int(st.Gid) != o.Users.First {
			t.Errorf("the message queues belong to %d:%d (%v), not to the sandbox's root", st.Uid, st.Gid, err)
		}
		return nil
	})
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 1 || os.Geteuid() != 0 {
		t.Errorf("dumpable is %d (%v), the user %d", dumpable, err, os.Geteuid())
	}
	if err := EnsureSandbox(dir, o); err != nil || inodes(t, dir) != first {
		t.Errorf("a second time: %v, or other namespaces", err)
	}
	// A crash has left it unfinished: all of them are made anew, with one owner.
	if err := unbind(filepath.Join(dir, "ipc")); err != nil {
		t.Fatal(err)
	}
	if err := EnsureSandbox(dir, o); err != nil {
		t.Fatal(err)
	}
	user = inode(t, filepath.Join(dir, "user"))
	for _, k := range allKinds {
		if got := ownerOf(t, filepath.Join(dir, k.name)); got != user {
			t.Errorf("made anew, the %s namespace belongs to another user namespace", k.name)
		}
	}
	if err := RemoveSandbox(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder stays: %v", err)
	}
}

// statQueues looks at the root of the message queues of the thread's IPC namespace, without a mount that anybody sees.
func statQueues() (st unix.Stat_t, err error) {
	fs, err := unix.Fsopen("mqueue", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return st, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return st, err
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return st, err
	}
	defer unix.Close(root)
	err = unix.Fstat(root, &st)
	return st, err
}

// Where the kernel makes no user namespace, one sentence says what to do. The limit is set in a user namespace of the
// test's own, so that the machine keeps its.
func TestUserSandboxRefused(t *testing.T) {
	const mark = "PODD_NETNS_TEST_NO_USERS"
	if os.Getenv(mark) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestUserSandboxRefused$", "-test.v")
		cmd.Env = append(os.Environ(), nstest.InsideEnv+"=1", mark+"=1")
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 17}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET, UidMappings: ids, GidMappings: ids,
			GidMappingsEnableSetgroups: true, Pdeathsig: syscall.SIGKILL,
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(nstest.SandboxRoot(t, RemoveSandbox), "pod")
	o := allNamespaces
	o.Users = &Users{First: 1 << 16, Count: 1 << 16}
	if err := EnsureSandbox(dir, o); !errors.Is(err, ErrTooManyUserNamespaces) {
		t.Errorf("it says %v", err)
	}
	if err := RemoveSandbox(dir); err != nil {
		t.Error(err)
	}
}

// Sandboxes are made side by side, and all threads share what the kernel keeps of who may trace the process.
func TestWriteAsSideBySide(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	null := sysctl{kind: unix.CLONE_NEWIPC, path: os.DevNull, value: "1"}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 100 {
				if err := null.writeAs(0x70000000); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 1 {
		t.Errorf("dumpable is %d (%v)", dumpable, err)
	}
}
