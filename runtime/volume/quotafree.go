package volume

import (
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// projectsOf lists the projects of a folder and of those in it, before they are removed.
func projectsOf(dir string) []uint32 {
	if !heldAt(dir) {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	paths := []string{dir}
	for _, e := range entries {
		if e.IsDir() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	var ids []uint32
	for _, path := range paths {
		fd, err := openFolder(unix.AT_FDCWD, path, 0)
		if err != nil {
			continue
		}
		if id, own, err := ownProject(fd); err == nil && own {
			ids = append(ids, id)
		}
		closeFD(fd)
	}
	return ids
}

func heldAt(dir string) bool {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return false
	}
	defer closeFD(fd)
	return quotaHeld(fd)
}

// freeProjects takes the limits off projects that are empty now: a limit is a record on the disk that stays for good. A
// container that owns a folder may have given it the project of somebody else, which is not empty.
func freeProjects(parent string, ids []uint32) {
	if len(ids) == 0 {
		return
	}
	fd, err := openFolder(unix.AT_FDCWD, parent, 0)
	if err != nil {
		return
	}
	defer closeFD(fd)
	numbering.Lock()
	defer numbering.Unlock()
	for _, id := range ids {
		if q, err := projectUse(fd, id); err == nil && q.inodes == 0 && q.bhard != 0 {
			_ = setLimit(fd, id, 0)
		}
	}
}

// FreeProjects takes the limits off all of podd's projects that are empty: a removal that was cut short has left them,
// or a file system that counts later than it removes.
func (d *Dirs) FreeProjects() {
	fd, err := openFolder(unix.AT_FDCWD, d.Disk, 0)
	if err != nil {
		return
	}
	defer closeFD(fd)
	if !quotaHeld(fd) {
		return
	}
	var empty []uint32
	for next := uint32(projectBase); next < projectBase+projectIDs; next++ {
		var q dqblk
		err := quotactl(fd, qGetNext, next, unsafe.Pointer(&q))
		if err != nil || q.id >= projectBase+projectIDs {
			break // ENOENT: there are no more
		}
		if next = q.id; q.inodes == 0 && q.bhard != 0 {
			empty = append(empty, q.id)
		}
	}
	freeProjects(d.Disk, empty)
}

// removeLimited removes a folder whose projects, or those of the folders in it, are podd's.
func removeLimited(dir string) error {
	ids := projectsOf(dir)
	err := Remove(dir)
	freeProjects(filepath.Dir(dir), ids)
	return err
}
