package board

import (
	"os"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ReadFolder looks at the file system that a folder is on, or will be on when it is made.
func ReadFolder(name, path string) Folder {
	f := Folder{Name: name, Path: path}
	at := path
	for {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Stat(at, &st) != nil || unix.Statfs(at, &fs) != nil {
		return f
	}
	kind, err := typeOf(at, st.Dev)
	if err != nil {
		return f
	}
	size := uint64(fs.Bsize) // the kernel's, never negative
	f.FS = FileSystem{
		Type: kind, Free: fs.Bavail * size, Size: fs.Blocks * size, FreeInodes: fs.Ffree, Inodes: fs.Files,
		ReadOnly: fs.Flags&unix.ST_RDONLY != 0,
	}
	return f
}

// typeOf finds the type of the file system at a path, which is on a device. The mount's number tells: a subvolume of btrfs has
// another device than its mount. Linux before 5.8 has no such numbers.
func typeOf(path string, device uint64) (string, error) {
	var stx unix.Statx_t
	numbered := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &stx) == nil && stx.Mask&unix.STATX_MNT_ID != 0
	mounts, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) {
		here := uint32(i.Major) == unix.Major(device) && uint32(i.Minor) == unix.Minor(device)
		if numbered {
			here = uint64(i.ID) == stx.Mnt_id
		}
		return !here, here
	})
	if err != nil || len(mounts) == 0 {
		return "a file system that is not mounted here", err
	}
	return mounts[0].FSType, nil
}

// ReadSynced says whether the kernel takes its clock for right. man 2 adjtimex
func ReadSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	const timeError = 5 // TIME_ERROR
	return err == nil && state != timeError && t.Status&unix.STA_UNSYNC == 0
}
