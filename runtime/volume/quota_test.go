package volume

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// quotaDisk is an ext4 of its own. Its features are there in any case; held says whether it is mounted to keep to them.
func quotaDisk(t *testing.T, held bool) string {
	t.Helper()
	private(t)
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	must(t, os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota", image).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4 that makes project quotas: %v: %s", err, out)
	}
	options := "loop"
	if held {
		options += ",prjquota"
	}
	disk := filepath.Join(dir, "disk")
	must(t, os.Mkdir(disk, 0o755))
	if out, err := exec.Command("mount", "-o", options, image, disk).CombinedOutput(); err != nil {
		t.Skipf("this kernel has no loop devices or no project quotas (CONFIG_QFMT_V2): %v: %s", err, out)
	}
	t.Cleanup(func() { must(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	dropResource(t)
	return disk
}

// dropResource takes from this thread, which is the test's alone, what lets it exceed quotas. man 7 capabilities
func dropResource(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&header, &data[0]))
	data[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	must(t, unix.Capset(&header, &data[0]))
}

// fill writes up to so many bytes into a new file and says what the file system said.
func fill(path string, bytes int) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	// No zeros: a restore makes holes of them.
	for block := []byte(strings.Repeat("podd", 16<<10)); bytes > 0 && err == nil; bytes -= len(block) {
		_, err = f.Write(block)
	}
	return err
}

func isFull(err error) bool { return errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.ENOSPC) }

// recorded is the project of a folder with what the file system has on record of it.
func recorded(t *testing.T, dir string) (uint32, dqblk) {
	t.Helper()
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	must(t, err)
	defer closeFD(fd)
	x, err := getProject(fd)
	must(t, err)
	q, err := projectUse(fd, x.projid)
	must(t, err)
	return x.projid, q
}

// limits lists the projects of podd's that a file system has a limit for.
func limits(t *testing.T, dir string) (ids []uint32) {
	t.Helper()
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	must(t, err)
	defer closeFD(fd)
	for next := uint32(projectBase); ; next++ {
		var q dqblk
		if err := quotactl(fd, qGetNext, next, unsafe.Pointer(&q)); err != nil || q.id >= projectBase+projectIDs {
			return ids
		}
		if next = q.id; q.bhard > 0 {
			ids = append(ids, q.id)
		}
	}
}

func diskVolume(name, size string) *corev1.Volume {
	limit := resource.MustParse(size)
	return &corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}}
}

// An emptyDir with a sizeLimit holds that much and no more, wherever in it; what is beside it is not concerned. Its
// removal leaves no limit on the disk, and the next folder with its inode begins anew.
func TestQuotaOfEmptyDir(t *testing.T) {
	disk := quotaDisk(t, true)
	d := &Dirs{Disk: filepath.Join(disk, "pods"), Memory: filepath.Join(t.TempDir(), "memory")}
	one, err := d.Ensure(&Request{UID: "u", Volume: diskVolume("one", "2Mi")})
	must(t, err)
	two, err := d.Ensure(&Request{UID: "u", Volume: diskVolume("two", "4Mi")})
	must(t, err)
	free, err := d.Ensure(&Request{UID: "u", Volume: &corev1.Volume{Name: "free", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}})
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(one, "a/b"), 0o755), fill(filepath.Join(one, "first"), 1<<20))
	if err := fill(filepath.Join(one, "a/b/deep"), 2<<20); !isFull(err) {
		t.Errorf("3 MiB went into 2: %v", err)
	}
	must(t, fill(filepath.Join(two, "x"), 3<<20), fill(filepath.Join(free, "x"), 6<<20))
	limit, used, err := Quota(one)
	if err != nil || limit != 2<<20 || used < 1<<20 || used > 2<<20 {
		t.Errorf("limit %d, used %d, %v", limit, used, err)
	}
	var fs unix.Statfs_t
	must(t, unix.Statfs(one, &fs))
	if got := int64(fs.Blocks) * fs.Bsize; got != 2<<20 {
		t.Errorf("df shows %d bytes", got)
	}
	if err := os.Rename(filepath.Join(free, "x"), filepath.Join(one, "x")); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a file went around the limit: %v", err)
	}
	before, _ := recorded(t, one)
	if other, _ := recorded(t, two); other == before || len(limits(t, disk)) != 2 {
		t.Errorf("projects are %d, %d of %v", before, other, limits(t, disk))
	}
	must(t, d.Remove("u"))
	if left := limits(t, disk); len(left) != 0 {
		t.Errorf("limits stay: %v", left)
	}
	again, err := d.Ensure(&Request{UID: "u", Volume: diskVolume("one", "3Mi")})
	must(t, err)
	must(t, fill(filepath.Join(again, "x"), 2<<20+512<<10))
	if err := fill(filepath.Join(again, "y"), 1<<20); !isFull(err) {
		t.Errorf("3.5 MiB went into 3: %v", err)
	}
}

// What is made again after a restart keeps its project and what it has used, and no folder gets one that is taken: also
// where inodes would give two the same.
func TestQuotaOverRestart(t *testing.T) {
	disk := quotaDisk(t, true)
	volumes := func() *Dirs { return &Dirs{Disk: filepath.Join(disk, "pods")} }
	dir, err := volumes().Ensure(&Request{UID: "u", Volume: diskVolume("v", "2Mi")})
	must(t, err)
	must(t, fill(filepath.Join(dir, "x"), 1<<20))
	id, _ := recorded(t, dir)
	// A removal that was cut short.
	other, err := volumes().Ensure(&Request{UID: "gone", Volume: diskVolume("v", "2Mi")})
	must(t, err)
	must(t, Remove(other))

	d := volumes()
	d.FreeProjects()
	if left := limits(t, disk); len(left) != 1 || left[0] != id {
		t.Errorf("limits are %v, want that of %d", left, id)
	}
	_, err = d.Ensure(&Request{UID: "u", Volume: diskVolume("v", "2Mi")})
	must(t, err)
	if now, q := recorded(t, dir); now != id || q.bytes < 1<<20 {
		t.Errorf("project %d has become %d, which uses %d", id, now, q.bytes)
	}
	if err := fill(filepath.Join(dir, "y"), 2<<20); !isFull(err) {
		t.Errorf("3 MiB went into 2: %v", err)
	}

	// Somebody has the number that a folder would take.
	next, taken := filepath.Join(disk, "next"), filepath.Join(disk, "taken")
	must(t, os.Mkdir(next, 0o755), os.Mkdir(taken, 0o755))
	var st unix.Stat_t
	must(t, unix.Stat(next, &st))
	fd, err := openFolder(unix.AT_FDCWD, taken, 0)
	must(t, err)
	must(t, setProject(fd, projectBase+uint32(st.Ino), true))
	closeFD(fd)
	must(t, Limit(next, 1<<20))
	if now, _ := recorded(t, next); now != projectBase+uint32(st.Ino)+1 {
		t.Errorf("a folder has project %#x", now)
	}
}

// A claim's folder is held to its size with what was in it before there were quotas, with what is restored into it, and
// when it grows.
func TestQuotaOfClaim(t *testing.T) {
	disk := quotaDisk(t, true)
	dir := filepath.Join(disk, "claim")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o777), fill(filepath.Join(dir, "sub/old"), 1<<20), os.Symlink("nowhere", filepath.Join(dir, "link")), unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	must(t, EnsureFolder(dir, 2<<20))
	if _, used, err := Quota(dir); err != nil || used < 1<<20 {
		t.Errorf("what was there does not count: %d, %v", used, err)
	}
	if err := fill(filepath.Join(dir, "sub/new"), 2<<20); !isFull(err) {
		t.Errorf("3 MiB went into 2: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, "sub/new")))
	must(t, EnsureFolder(dir, 4<<20), fill(filepath.Join(dir, "sub/new"), 2<<20))

	var archive bytes.Buffer
	must(t, Backup(dir, &archive))
	if err := Restore(dir+".restored", bytes.NewReader(archive.Bytes()), 1<<20); !isFull(err) {
		t.Errorf("3 MiB were restored into 1: %v", err)
	}
	isGone(t, dir+".restored")
	must(t, Restore(dir+".restored", &archive, 5<<20), Replace(dir, dir+".restored"))
	isGone(t, dir+".restored")
	if limit, used, err := Quota(dir); err != nil || limit != 5<<20 || used < 3<<20 {
		t.Errorf("restored: limit %d, used %d, %v", limit, used, err)
	}
	if left := limits(t, disk); len(left) != 1 {
		t.Errorf("limits are %v", left)
	}
	must(t, RemoveFolder(dir))
	if left := limits(t, disk); len(left) != 0 {
		t.Errorf("limits stay: %v", left)
	}
}

// Folders of many projects in a tree that is too deep to be walked: what the pod's owner can do does not keep it.
func TestQuotaOfHostileTree(t *testing.T) {
	disk := quotaDisk(t, true)
	dir, other := filepath.Join(disk, "claim"), filepath.Join(disk, "other")
	must(t, EnsureFolder(dir, 32<<20), EnsureFolder(other, 1<<20))
	deepTree(t, dir, 600)
	id, _ := recorded(t, other)
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	must(t, err)
	must(t, walkProjects(fd, id), setProject(fd, id, true))
	closeFD(fd)
	must(t, RemoveFolder(dir))
	isGone(t, dir)
	if limit, _, err := Quota(other); err != nil || limit != 1<<20 {
		t.Errorf("the other's limit is %d, %v", limit, err)
	}
}

// walkProjects gives folders alternating projects, as far down as a walk comes.
func walkProjects(fd int, id uint32) error {
	n := uint32(0)
	err := walk(fd, func(parent int, name string, _ *unix.Stat_t) error {
		child, err := openFolder(parent, name, 0)
		if err != nil {
			return err
		}
		defer closeFD(child)
		n++
		return setProject(child, id+n%3, true)
	})
	if errors.Is(err, errTooDeep) {
		return nil
	}
	return err
}

// A file system that counts and does not hold is none with quotas: the size is to be measured.
func TestNoQuota(t *testing.T) {
	hasNoQuota(t, "/dev/shm")
	hasNoQuota(t, quotaDisk(t, false))
}

func hasNoQuota(t *testing.T, disk string) {
	t.Helper()
	dir, err := os.MkdirTemp(disk, "podd-")
	must(t, err)
	if err := Limit(dir, 1<<20); !errors.Is(err, ErrNoQuota) {
		t.Errorf("%s: %v", disk, err)
	}
	if _, _, err := Quota(dir); !errors.Is(err, ErrNoQuota) {
		t.Errorf("%s: %v", disk, err)
	}
	must(t, RemoveFolder(dir))
}

// A folder in a project of somebody else's stays there.
func TestQuotaOfOthers(t *testing.T) {
	disk := quotaDisk(t, true)
	outer, inner := filepath.Join(disk, "outer"), filepath.Join(disk, "outer/inner")
	must(t, os.Mkdir(outer, 0o755), Limit(outer, 8<<20), os.Mkdir(inner, 0o755))
	if err := Limit(inner, 1<<20); !errors.Is(err, ErrNoQuota) {
		t.Errorf("a folder in a project: %v", err)
	}
	if _, _, err := Quota(inner); !errors.Is(err, ErrNoQuota) {
		t.Errorf("the folder has a quota: %v", err)
	}
	must(t, RemoveFolder(inner))
	if limit, _, err := Quota(outer); err != nil || limit != 8<<20 {
		t.Errorf("the outer limit is %d, %v", limit, err)
	}
}
