package devicerules

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

const openDevicesArg = "test-open-devices"

// The test binary enters the cgroup of its second argument and tells what comes of opening the others for writing.
func init() {
	if len(os.Args) < 3 || os.Args[1] != openDevicesArg {
		return
	}
	if err := os.WriteFile(filepath.Join(os.Args[2], "cgroup.procs"), []byte("0"), 0); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, path := range os.Args[3:] {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY, 0)
		if err == nil {
			unix.Close(fd)
		}
		fmt.Println(filepath.Base(path), err)
	}
	os.Exit(0)
}

// kernelCgroup makes a cgroup in the hierarchy that a test is about.
func kernelCgroup(t *testing.T, roots []string, fits func(root string) bool) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, root := range roots {
		if !fits(root) {
			continue
		}
		dir, err := os.MkdirTemp(root, "podd-test-"+os.Getenv("PODD_TEST_RUN")+"-")
		if err != nil {
			t.Skipf("cannot make a cgroup: %v", err)
		}
		t.Cleanup(func() {
			if err := unix.Rmdir(dir); err != nil {
				t.Errorf("cannot remove %s: %v", dir, err)
			}
		})
		return dir
	}
	t.Skipf("none of %v is mounted", roots)
	return ""
}

func cgroupV1(t *testing.T) string {
	t.Helper()
	return kernelCgroup(t, []string{"/sys/fs/cgroup/devices"}, func(root string) bool {
		_, err := os.Stat(filepath.Join(root, "devices.list"))
		return err == nil
	})
}

func cgroupV2(t *testing.T) string {
	t.Helper()
	return kernelCgroup(t, []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}, func(root string) bool {
		var st unix.Statfs_t
		return unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	})
}

// checkOpen opens an allowed device and /dev/kmsg, which asks writers for no capability, in the cgroup.
func checkOpen(t *testing.T, cgroup string, kmsg error) {
	t.Helper()
	dir := t.TempDir()
	for name, minor := range map[string]uint32{"null": 3, "kmsg": 11} {
		if err := unix.Mknod(filepath.Join(dir, name), unix.S_IFCHR|0o600, int(unix.Mkdev(1, minor))); err != nil {
			t.Skipf("cannot make a device node: %v", err)
		}
	}
	out, err := exec.Command("/proc/self/exe", openDevicesArg, cgroup, filepath.Join(dir, "null"), filepath.Join(dir, "kmsg")).CombinedOutput()
	if want := fmt.Sprintf("null <nil>\nkmsg %v\n", kmsg); err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestDeviceRulesV1Kernel(t *testing.T) {
	dir := cgroupV1(t)
	read := func() string {
		t.Helper()
		list, err := os.ReadFile(filepath.Join(dir, "devices.list"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(list), "\n")
	}
	if before := read(); before != everyDevice {
		t.Skipf("the parent does not allow every device: %q", before)
	}
	checkOpen(t, dir, nil)
	set := func(rules []*devices.Rule) {
		t.Helper()
		if err := cgroups.DevicesSetV1(dir, &cgroups.Resources{Devices: rules}); err != nil {
			t.Fatal(err)
		}
	}
	set(containerRules(false))
	want, err := deviceListV1(containerRules(false))
	if err != nil || read() != strings.Join(want, "\n") {
		t.Errorf("list %q, want %q, %v", read(), want, err)
	}
	checkOpen(t, dir, unix.EPERM)

	set(containerRules(true))
	if read() != everyDevice {
		t.Errorf("privileged: %q", read())
	}
	checkOpen(t, dir, nil)
	set(containerRules(false))

	// A cgroup with children takes no write of "a": rules that are there already have to do without.
	child := filepath.Join(dir, "child")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	defer unix.Rmdir(child)
	set(containerRules(false))
	if err := setDeviceRulesV1(dir, &cgroups.Resources{Devices: containerRules(true)}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("other rules of a parent: %v", err)
	}
}

func programNames(t *testing.T, dir string) []string {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	programs, err := queryDevicePrograms(fd)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range programs {
		unix.Close(p.fd)
		names = append(names, p.name)
	}
	return names
}

func TestDeviceRulesV2Kernel(t *testing.T) {
	dir := cgroupV2(t)
	set := func(rules []*devices.Rule) {
		t.Helper()
		err := cgroups.DevicesSetV2(dir, &cgroups.Resources{Devices: rules})
		if errors.Is(err, errNoDevicePrograms) || errors.Is(err, unix.EPERM) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	set(containerRules(true))
	if names := programNames(t, dir); len(names) != 0 {
		t.Errorf("privileged: programs %v", names)
	}
	checkOpen(t, dir, nil)

	set(containerRules(false))
	first := programNames(t, dir)
	if len(first) != 1 || !strings.HasPrefix(first[0], programPrefix) || len(first[0]) != 15 {
		t.Fatalf("programs %v", first)
	}
	checkOpen(t, dir, unix.EPERM)
	before := attachedIDs(t, dir)
	set(containerRules(false))
	if after := attachedIDs(t, dir); after != before {
		t.Errorf("the second call has attached %v in place of %v", after, before)
	}

	// Other rules, with each shape of block, for the verifier.
	set([]*devices.Rule{
		rule("a", -1, -1, "rwm", true), rule("b", -1, -1, "w", false), rule("b", 8, 1, "wm", true),
		rule("c", 1, -1, "rwm", false), rule("c", 1, 3, "w", true), rule("c", -1, 5, "r", false),
	})
	if names := programNames(t, dir); len(names) != 1 || names[0] == first[0] {
		t.Errorf("other rules: programs %v after %v", names, first)
	}
	checkOpen(t, dir, unix.EPERM)
	set(containerRules(true))
	checkOpen(t, dir, nil)
}

// attachedIDs tells one load of the same program from another.
func attachedIDs(t *testing.T, dir string) [64]uint32 {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	ids, _, err := queryProgramIDs(fd)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestDeviceRulesV2NoCgroup(t *testing.T) {
	if err := setDeviceRulesV2(filepath.Join(t.TempDir(), "none"), &cgroups.Resources{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := setDeviceRulesV2("/none", &cgroups.Resources{SkipDevices: true}); err != nil {
		t.Errorf("skipped: %v", err)
	}
}
