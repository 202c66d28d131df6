package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/internal/hugepage"
)

// The pages of an emptyDir are of a size that the pod asks for.
func TestHugePages(t *testing.T) {
	const small, large = 2 << 20, 1 << 30
	for _, tc := range []struct {
		medium corev1.StorageMedium
		asked  []int64
		want   string
	}{
		{"HugePages", nil, "medium HugePages: hugePages storage requested, but there is no resource request for huge pages"},
		{"HugePages-2Mi", []int64{large}, "medium HugePages-2Mi: hugePages storage requested, but there is no resource request for huge pages"},
		{"HugePages", []int64{small, large}, "medium: HugePages can't be used if container requests multiple huge page sizes"},
		{"HugePages2Mi", []int64{small}, `unknown storage medium "HugePages2Mi"`},
		{"HugePages-x", []int64{small}, `medium "HugePages-x": "x" is no size`},
		{"HugePages-3Mi", []int64{3 << 20}, `medium "HugePages-3Mi": the board has no huge pages of 3072 KiB set aside`},
	} {
		err := ensureEmptyDir(filepath.Join(t.TempDir(), "v"), &corev1.EmptyDirVolumeSource{Medium: tc.medium}, &Request{HugePages: tc.asked})
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s of %v: %v, want %s", tc.medium, tc.asked, err, tc.want)
		}
	}
	if os.Getuid() != 0 || hugepage.Machine.SetAside(small) == 0 {
		t.Skip("needs root, and huge pages of 2 MiB that are set aside (vm.nr_hugepages)")
	}
	dir := filepath.Join(t.TempDir(), "v")
	mode := int32(0o770)
	e := &corev1.EmptyDirVolumeSource{Medium: "HugePages-2Mi", Mode: &mode}
	for range 2 {
		if err := ensureEmptyDir(dir, e, &Request{HugePages: []int64{small, large}}); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.HUGETLBFS_MAGIC || fs.Bsize != small {
		t.Errorf("file system %x with pages of %d: %v", fs.Type, fs.Bsize, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("mode %v: %v", info, err)
	}
}
