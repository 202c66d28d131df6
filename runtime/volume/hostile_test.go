package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// private runs the rest of the test in a mount namespace of its own.
func private(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func isGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

// deepTree makes a tree of which no path could name the end.
func deepTree(t *testing.T, dir string, depth int) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_PATH, 0)
	must(t, err)
	name := strings.Repeat("n", 200)
	for range depth {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_PATH, 0)
		must(t, err)
		_ = unix.Close(fd)
		fd = next
	}
	file, err := unix.Openat(fd, "file", unix.O_CREAT|unix.O_WRONLY, 0o644)
	must(t, err)
	_, _ = unix.Close(file), unix.Close(fd)
}

func TestRemoveDeepTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volume")
	deepTree(t, dir, 10_000)
	must(t, Remove(dir))
	isGone(t, dir)
}

// One pass takes off as many levels as are entered at a time, and there is no number of passes that would do for all.
func TestRemoveVeryDeepTree(t *testing.T) {
	needRoot(t)
	dir := filepath.Join("/dev/shm", fmt.Sprintf("podd-deep-%d", os.Getpid())) // in memory: it is a matter of seconds on a disk
	deepTree(t, dir, 40_000)
	must(t, Remove(dir))
	isGone(t, dir)
}

// The names that a removal uses may be there: it was cut short before, or a container knows them.
func TestRemoveDeepTreeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volume")
	must(t, os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, ".podd-deep-1"), nil, 0o600))
	for n := 2; n < 10; n++ {
		must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprintf(".podd-deep-%d", n), "in"), 0o755))
	}
	deepTree(t, filepath.Join(dir, ".podd-deep-2", "deep"), 1000)
	must(t, Remove(dir))
	isGone(t, dir)
}

func TestRemoveWhatIsGone(t *testing.T) {
	must(t, Remove(filepath.Join(t.TempDir(), "no", "such")), Remove(filepath.Join(t.TempDir(), "none")))
}

func TestRemoveNeverFollowsLinks(t *testing.T) {
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	dir := filepath.Join(t.TempDir(), "volume")
	must(t, os.WriteFile(keep, nil, 0o644), os.Mkdir(dir, 0o755), os.Symlink(outside, filepath.Join(dir, "link")),
		os.Symlink("/", filepath.Join(dir, "root")), os.Symlink(dir, filepath.Join(dir, "self")), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, Remove(dir))
	isGone(t, dir)
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("the link was followed: %v", err)
	}
}

// A mount in a volume is taken off; what it shows stays. A bind of the same file system has no device of its own.
func TestRemoveMounts(t *testing.T) {
	private(t)
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	dir := filepath.Join(t.TempDir(), "volume")
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(keep, nil, 0o644), os.MkdirAll(in("a/bind"), 0o755), os.MkdirAll(in("tmpfs"), 0o755), os.WriteFile(in("file"), nil, 0o644))
	must(t, unix.Mount(outside, in("a/bind"), "", unix.MS_BIND, ""), unix.Mount("x", in("tmpfs"), "tmpfs", 0, ""),
		unix.Mount("y", in("tmpfs"), "tmpfs", 0, ""), unix.Mount(keep, in("file"), "", unix.MS_BIND, ""))
	busy, err := os.Create(in("tmpfs/busy"))
	must(t, err)
	defer busy.Close()
	must(t, Remove(dir))
	isGone(t, dir)
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("what was mounted is gone: %v", err)
	}
}

// A volume that is a mount itself: a medium of memory.
func TestRemoveMountedVolume(t *testing.T) {
	private(t)
	dir := filepath.Join(t.TempDir(), "volume")
	must(t, os.Mkdir(dir, 0o755), mountMemory(dir, 0o777, 1<<20, ""), os.WriteFile(filepath.Join(dir, "x"), nil, 0o600))
	must(t, Remove(dir))
	isGone(t, dir)
}

func TestRemoveImmutable(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "volume")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for _, name := range []string{"sub/file", "log"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	for name, flag := range map[string]int{"sub/file": 0x10, "log": 0x20, "sub": 0x10} {
		f, err := os.Open(filepath.Join(dir, name))
		must(t, err)
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flag); err != nil {
			t.Skipf("no such flags here: %v", err)
		}
		_ = f.Close()
	}
	must(t, Remove(dir))
	isGone(t, dir)
}

// A pod that goes on moving folders about cannot lead the removal out of the volume.
func TestRemoveWhileRenaming(t *testing.T) {
	up := t.TempDir()
	outside := filepath.Join(up, "outside")
	must(t, os.MkdirAll(outside, 0o755), os.WriteFile(filepath.Join(outside, "keep"), nil, 0o644))
	stop := make(chan struct{})
	var churn sync.WaitGroup
	dir := filepath.Join(up, "volume")
	must(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	churn.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.RemoveAll(filepath.Join(dir, "x"))
			_ = os.MkdirAll(filepath.Join(dir, "x/y"), 0o755)
			_ = os.Rename(filepath.Join(dir, "x/y"), filepath.Join(dir, "z"))
			_ = os.Symlink(outside, filepath.Join(dir, "x/y"))
		}
	})
	for range 200 {
		_ = Remove(dir)
	}
	close(stop)
	churn.Wait()
	must(t, Remove(dir))
	if _, err := os.Stat(filepath.Join(outside, "keep")); err != nil {
		t.Errorf("the removal left the volume: %v", err)
	}
}

// A disk without a free block or inode is no reason to stay.
func TestRemoveWithDiskFull(t *testing.T) {
	private(t)
	disk := t.TempDir()
	must(t, unix.Mount("disk", disk, "tmpfs", 0, "size=256k,nr_inodes=400"))
	dir := filepath.Join(disk, "volume")
	deepTree(t, dir, 300)
	for i := 0; ; i++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), make([]byte, 4096), 0o644); err != nil {
			break
		}
	}
	must(t, Remove(dir))
	isGone(t, dir)
	must(t, unix.Unmount(disk, unix.MNT_DETACH))
}

// fsGroup reaches what is in the volume and nothing outside.
func TestOwn(t *testing.T) {
	needRoot(t)
	outside := filepath.Join(t.TempDir(), "outside")
	dir := t.TempDir()
	group := int64(3000)
	must(t, os.WriteFile(outside, nil, 0o600), os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.WriteFile(filepath.Join(dir, "sub/f"), nil, 0o600),
		os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, Own(dir, Owner{Group: &group}))
	for path, want := range map[string]uint32{dir: 0o2770, filepath.Join(dir, "sub"): 0o2770, filepath.Join(dir, "sub/f"): 0o660} {
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		if st.Gid != 3000 || st.Mode&0o7777&want != want {
			t.Errorf("%s: group %d, mode %o", path, st.Gid, st.Mode)
		}
	}
	var st unix.Stat_t
	must(t, unix.Lstat(outside, &st))
	if st.Gid == 3000 || st.Mode&0o777 != 0o600 {
		t.Errorf("outside: group %d, mode %o", st.Gid, st.Mode)
	}
	// OnRootMismatch leaves alone what looks right from outside.
	must(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600), os.Chown(filepath.Join(dir, "new"), 0, 0), Own(dir, Owner{Group: &group, OnRoot: true}))
	must(t, unix.Lstat(filepath.Join(dir, "new"), &st))
	if st.Gid == 3000 {
		t.Error("the volume was walked although its root is right")
	}
}

func TestSubPath(t *testing.T) {
	volume, outside := t.TempDir(), t.TempDir()
	in := func(name string) string { return filepath.Join(volume, name) }
	must(t, os.Chmod(volume, 0o777), os.MkdirAll(in("dir/sub"), 0o755), os.Symlink("dir/sub", in("inner")), os.Symlink("/", in("root")),
		os.Symlink(outside, in("out")), os.Symlink("../..", in("up")), os.Symlink("nowhere", in("dangling")), os.WriteFile(in("file"), nil, 0o644),
		os.Symlink("/proc/self/root", in("magic")), os.Symlink(in("dir/sub"), in("absolute")), os.Symlink(in("nowhere"), in("lost")),
		os.Symlink(volume+"-other", in("beside")), os.Mkdir(volume+"-other", 0o755), os.Symlink(filepath.Join(in("dir"), "../../../etc"), in("around")))
	for sub, bad := range map[string]bool{
		"dir": false, "dir/sub": false, "inner": false, "new/a/b": false, "file": false, ".": false, "dir/../file": false,
		"root": true, "root/etc": true, "out": true, "out/new": true, "up": true, "../x": true, "/etc": true, "dangling": true, "dangling/x": true,
		"file/x": true, "magic": true, "magic/etc": true, "absolute": false, "absolute/x": true, "lost": true, "beside": true, "around": true,
	} {
		handle, err := OpenSubPath(volume, sub, true)
		if (err != nil) != bad {
			t.Errorf("%s: %v", sub, err)
		}
		if err == nil {
			_ = handle.Close()
		}
	}
	if info, err := os.Stat(in("new/a/b")); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the folder that was made: %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("outside there is now %v", entries)
	}
	if _, err := OpenSubPath(volume, "missing", false); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a missing path that is not to be made: %v", err)
	}
}

// CVE-2017-1002101 and CVE-2021-25741: the path is exchanged for a link to the host's root between check and mount.
// Fails with openat(2) in the place of openat2(2).
func TestSubPathRace(t *testing.T) {
	private(t)
	volume, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	secret := t.TempDir()
	must(t, os.WriteFile(filepath.Join(secret, "secret"), nil, 0o600), os.Mkdir(filepath.Join(volume, "dir"), 0o755), os.Symlink(secret, filepath.Join(volume, "link")))
	stop := make(chan struct{})
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(volume, "dir"), unix.AT_FDCWD, filepath.Join(volume, "link"), unix.RENAME_EXCHANGE)
			}
		}
	})
	bound, end := 0, time.Now().Add(10*time.Second)
	for tries := 0; (tries < 2000 || bound == 0) && time.Now().Before(end); tries++ {
		handle, err := OpenSubPath(volume, "dir", true)
		if err != nil {
			continue
		}
		must(t, Bind(handle, target, AsItIs))
		_ = handle.Close()
		if _, err := os.Stat(filepath.Join(target, "secret")); err == nil {
			t.Error("the mount shows what lies outside of the volume")
		}
		must(t, Release(target))
		bound++
	}
	close(stop)
	attacker.Wait()
	if bound == 0 {
		t.Error("nothing was ever bound")
	}
}
