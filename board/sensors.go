package board

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return f
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	size := uint64(fs.Bsize) // the kernel's, never negative
	f.FS = FileSystem{
		Type: parseType(string(mounts), device), Free: fs.Bavail * size, Size: fs.Blocks * size, FreeInodes: fs.Ffree, Inodes: fs.Files,
		ReadOnly: fs.Flags&unix.ST_RDONLY != 0,
	}
	return f
}

// parseType finds the type of the file system on a device. man 5 proc_pid_mountinfo
func parseType(mounts, device string) string {
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) > 2 && len(kind) > 0 && fields[2] == device {
			return kind[0]
		}
	}
	return "a file system that is not mounted here"
}

// ReadSynced says whether the kernel takes its clock for right. man 2 adjtimex
func ReadSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	const timeError = 5 // TIME_ERROR
	return err == nil && state != timeError && t.Status&unix.STA_UNSYNC == 0
}
