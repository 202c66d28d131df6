package volume

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Projects of podd's are numbered in a range of their own: at first by a folder's inode, which no other has while it is there.
const (
	projectBase   = 0x50000000
	projectIDs    = 0x10000000
	maxCollisions = 1000 // where inodes have more digits than projects: xfs on large disks
)

// numbering lets one folder choose its project at a time: a number is free while no file has it.
var numbering sync.Mutex

// Limit gives a folder and all in it a project of their own, and the project a limit in bytes. What is so already is
// not written again. It is an ErrNoQuota where the file system does not hold projects to limits, or has the folder in
// one of somebody else's.
func Limit(dir string, bytes int64) error {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return fmt.Errorf("cannot limit %s: %w", dir, err)
	}
	defer closeFD(fd)
	if !quotaHeld(fd) {
		return ErrNoQuota
	}
	id, own, err := ownProject(fd)
	if err == nil && !own {
		id, err = takeProject(fd)
	}
	if err == nil {
		err = limitProject(fd, id, bytes)
	}
	if err != nil && !errors.Is(err, ErrNoQuota) {
		err = fmt.Errorf("cannot limit %s: %w", dir, err)
	}
	return err
}

func limitProject(fd int, id uint32, bytes int64) error {
	q, err := projectUse(fd, id)
	if err != nil || q.bhard == blocks(bytes) {
		return err
	}
	return setLimit(fd, id, bytes)
}

// ownProject is the project that Limit has given a folder. A folder that has its parent's was made in a project of
// somebody else's, be it the owner's of the disk or a podd's around this one.
func ownProject(fd int) (id uint32, own bool, err error) {
	x, err := getProject(fd)
	if err != nil {
		return 0, false, ErrNoQuota // a file system that knows no projects
	}
	if x.xflags&projInherit == 0 {
		return 0, false, nil
	}
	up, err := unix.Openat(fd, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false, err
	}
	defer closeFD(up)
	parent, err := getProject(up)
	if err != nil || x.projid == parent.projid || x.projid < projectBase || x.projid >= projectBase+projectIDs {
		return 0, false, ErrNoQuota
	}
	return x.projid, true, nil
}

// takeProject puts a folder with all in it into a project that nothing is in.
func takeProject(fd int) (uint32, error) {
	numbering.Lock()
	defer numbering.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	for n := range uint64(maxCollisions) {
		id := uint32(projectBase + (st.Ino+n)%projectIDs)
		q, err := projectUse(fd, id)
		if err != nil {
			return 0, err
		}
		if q.inodes > 0 {
			continue
		}
		if err := fillProject(fd, id); err != nil {
			return 0, err
		}
		return id, setProject(fd, id, true) // last: it says that the rest is done
	}
	return 0, errors.New("no number is free for a project")
}

// fillProject brings what is in a folder into its project; what has no data of its own may stay out.
func fillProject(fd int, id uint32) error {
	err := walk(fd, func(parent int, name string, st *unix.Stat_t) error {
		kind := st.Mode & unix.S_IFMT
		if kind != unix.S_IFREG && kind != unix.S_IFDIR {
			return nil
		}
		file, err := openData(parent, name)
		if err != nil {
			return ignoreGone(err)
		}
		defer closeFD(file)
		if err := setProject(file, id, kind == unix.S_IFDIR); !errors.Is(err, unix.EPERM) { // of a file that may not change
			return err
		}
		return nil
	})
	if errors.Is(err, errTooDeep) {
		return nil
	}
	return err
}

// Quota is the limit and the use in bytes of a folder that Limit has limited.
func Quota(dir string) (limit, used int64, err error) {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read the quota of %s: %w", dir, err)
	}
	defer closeFD(fd)
	id, own, err := ownProject(fd)
	if err != nil || !own || !quotaHeld(fd) {
		return 0, 0, ErrNoQuota
	}
	q, err := projectUse(fd, id)
	if err != nil || q.bhard == 0 {
		return 0, 0, ErrNoQuota
	}
	return int64(q.bhard << 10), int64(q.bytes), nil
}

func ignoreNoQuota(err error) error {
	if errors.Is(err, ErrNoQuota) {
		return nil
	}
	return err
}
