package cgroups

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// takePages is set for the process that takes huge pages of 2 MiB, eight at most, and says how many it got.
const takePages = "PODD_TEST_TAKE_PAGES"

// A process of a pod gets the huge pages that its pod has asked for and not one more, and none of a size that was not asked for,
// though the machine has more. On a hybrid machine this is of version 2's hierarchy, where the controller is.
func TestHugePagesHold(t *testing.T) {
	if os.Getenv(takePages) != "" {
		const size = 2 << 20
		n := 0
		for ; n < 8; n++ {
			page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB|unix.MAP_HUGE_2MB)
			if err != nil {
				break
			}
			page[0] = 1
		}
		fmt.Printf("got %d pages\n", n)
		return
	}
	root := ""
	if exists("/sys/fs/cgroup/unified/cgroup.controllers") {
		root = "/sys/fs/cgroup/unified"
	}
	tree := openRealAt(t, root)
	if !slices.Contains(tree.Controllers(), "hugetlb") || tree.Version() != 2 {
		t.Skip("no controller of huge pages here")
	}
	lendPages(t)
	for name, c := range map[string]struct {
		limits map[string]uint64
		want   string
	}{
		"some": {map[string]uint64{"2MB": 6 << 20}, "got 3 pages"},
		"none": {map[string]uint64{"2MB": 0}, "got 0 pages"},
		"free": {nil, "got 8 pages"},
	} {
		pod, err := tree.EnsurePod(name, Guaranteed, Resources{Hugepages: c.limits})
		if err != nil {
			t.Fatal(err)
		}
		dir := tree.dirs(pod + "/c")[0]
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		home, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestHugePagesHold$")
		cmd.Env = append(os.Environ(), takePages+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(home.Fd())}
		out, err := cmd.CombinedOutput()
		home.Close()
		if err != nil || !strings.Contains(string(out), c.want+"\n") {
			t.Errorf("%s: %v, it says %q, want %q", name, err, out, c.want)
		}
		if err := tree.RemovePod(pod); err != nil {
			t.Error(err)
		}
	}
}

// lendPages lets the kernel make huge pages as long as the test goes on; none are set aside.
func lendPages(t *testing.T) {
	t.Helper()
	const file = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages"
	before, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte("16"), 0)
	}
	if err != nil {
		t.Skipf("no huge pages here: %v", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, before, 0); err != nil {
			t.Error(err)
		}
	})
}
