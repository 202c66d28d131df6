package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/internal/hugepage"
)

// emptyDirMode lets any user of the pod write, as the kubelet has it.
const emptyDirMode = 0o777

// ensureEmptyDir makes the folder of an emptyDir, and mounts what its medium asks for.
func ensureEmptyDir(dir string, e *corev1.EmptyDirVolumeSource, r *Request) error {
	mode := uint32(emptyDirMode)
	if e.Mode != nil {
		mode = uint32(*e.Mode)
	}
	if _, err := makeFolder(dir, fileMode(mode)); err != nil {
		return err
	}
	limit := int64(0)
	if e.SizeLimit != nil {
		limit = e.SizeLimit.Value()
	}
	switch {
	case e.Medium == corev1.StorageMediumMemory:
		return mountMemory(dir, mode, smallest(limit, r.Memory), r.Label)
	case e.Medium == corev1.StorageMediumHugePages || strings.HasPrefix(string(e.Medium), string(corev1.StorageMediumHugePagesPrefix)):
		return mountHugePages(dir, e.Medium, mode, r.HugePages, r.Label)
	case e.Medium != corev1.StorageMediumDefault:
		return fmt.Errorf("unknown storage medium %q", e.Medium)
	case limit > 0:
		return ignoreNoQuota(Limit(dir, limit)) // without quotas the size is looked at from time to time
	}
	return nil
}

// makeFolder makes a folder with a mode whatever the umask; made: it was not there.
func makeFolder(dir string, mode os.FileMode) (made bool, err error) {
	err = os.Mkdir(dir, mode)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = os.Chmod(dir, mode)
	}
	if err != nil {
		return false, fmt.Errorf("cannot make the folder of a volume: %w", err)
	}
	return true, nil
}

// smallest of two sizes, of which 0 sets no limit.
func smallest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func mountMemory(dir string, mode uint32, size int64, label string) error {
	options := fmt.Sprintf("mode=%o", mode)
	if size > 0 {
		options += ",size=" + strconv.FormatInt(size, 10)
	}
	return mountOnce(dir, "tmpfs", labelled(options, label))
}

// mountHugePages mounts the pages of a size that the pod asks for: that of the medium, or the only one. The sentences about
// what does not fit are the kubelet's.
func mountHugePages(dir string, medium corev1.StorageMedium, mode uint32, asked []int64, label string) error {
	size := int64(0)
	if text, sized := strings.CutPrefix(string(medium), string(corev1.StorageMediumHugePagesPrefix)); sized {
		q, err := parseQuantity(text)
		if err != nil {
			return fmt.Errorf("medium %q: %w", medium, err)
		}
		if slices.Contains(asked, q) {
			size = q
		}
	} else {
		if len(asked) > 1 {
			return fmt.Errorf("medium: %s can't be used if container requests multiple huge page sizes", medium)
		}
		if len(asked) == 1 {
			size = asked[0]
		}
	}
	if size == 0 {
		return fmt.Errorf("medium %s: hugePages storage requested, but there is no resource request for huge pages", medium)
	}
	if hugepage.Machine.SetAside(size) == 0 {
		return fmt.Errorf("medium %q: the board has no huge pages of %d KiB set aside", medium, size>>10)
	}
	return mountOnce(dir, "hugetlbfs", labelled(fmt.Sprintf("pagesize=%d,mode=%o", size, mode), label))
}

// mountOnce mounts a file system of its own on a folder that has none yet.
func mountOnce(dir, kind, options string) error {
	mounted, err := isMountPoint(dir)
	if err != nil || mounted {
		return err
	}
	if err := unix.Mount(kind, dir, kind, unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		return fmt.Errorf("cannot mount a %s: %w", kind, err)
	}
	return nil
}

// isMountPoint compares the device with the parent's, which is enough for file systems of their own.
func isMountPoint(dir string) (bool, error) {
	var at, up unix.Stat_t
	if err := errors.Join(unix.Lstat(dir, &at), unix.Lstat(filepath.Dir(dir), &up)); err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", dir, err)
	}
	return at.Dev != up.Dev, nil
}

func parseQuantity(text string) (int64, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w", text, err)
	}
	return q.Value(), nil
}
