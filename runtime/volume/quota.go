package volume

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fsxattr is struct fsxattr. man 2 ioctl_xfs_fsgetxattr
type fsxattr struct {
	xflags, extsize, nextents, projid, cowextsize uint32
	_                                             [8]byte
}

// dqblk is struct if_dqblk. man 2 quotactl
type dqblk struct {
	bhard, bsoft, bytes, ihard, isoft, inodes, btime, itime uint64
	valid                                                   uint32
	_                                                       uint32
}

const (
	fsGetXattr     = 0x801c581f // FS_IOC_FSGETXATTR
	fsSetXattr     = 0x401c5820 // FS_IOC_FSSETXATTR
	projInherit    = 0x200      // FS_XFLAG_PROJINHERIT
	qGetQuota      = 0x800007
	qSetQuota      = 0x800008
	projectQuota   = 2 // PRJQUOTA
	validBlocks    = 1 // QIF_BLIMITS
	projectBase    = 0x50000000
	projectIDsMask = 0x0fffffff
)

// Limit gives a folder and all that comes into it a project of their own, and the project a limit in bytes. It is an
// ErrNoQuota where the file system has no such quotas. 0 takes the limit off.
func Limit(dir string, bytes int64) error {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return fmt.Errorf("cannot limit %s: %w", dir, err)
	}
	defer closeFD(fd)
	id, err := project(fd)
	if err != nil {
		return err
	}
	// Asked first: a project that nobody counts would be a write for nothing.
	var q dqblk
	if err := quotactl(fd, qGetQuota, id, &q); err != nil {
		return ErrNoQuota
	}
	if err := setProject(fd, id); err != nil {
		return ErrNoQuota
	}
	q = dqblk{bhard: uint64(bytes+1023) >> 10, valid: validBlocks}
	if err := quotactl(fd, qSetQuota, id, &q); err != nil {
		return fmt.Errorf("cannot limit %s: %w", dir, err)
	}
	return nil
}

// Quota is the limit and the use in bytes of a folder that Limit has limited.
func Quota(dir string) (limit, used int64, err error) {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read the quota of %s: %w", dir, err)
	}
	defer closeFD(fd)
	var x fsxattr
	var q dqblk
	if err := ioctl(fd, fsGetXattr, unsafe.Pointer(&x)); err != nil || x.projid < projectBase || x.xflags&projInherit == 0 {
		return 0, 0, ErrNoQuota
	}
	if err := quotactl(fd, qGetQuota, x.projid, &q); err != nil || q.bhard == 0 {
		return 0, 0, ErrNoQuota
	}
	return int64(q.bhard << 10), int64(q.bytes), nil
}

// project is a number of the folder's own: no two folders of a file system have one inode.
func project(fd int) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("cannot look at a volume: %w", err)
	}
	return projectBase | uint32(st.Ino&projectIDsMask), nil
}

func setProject(fd int, id uint32) error {
	var x fsxattr
	if err := ioctl(fd, fsGetXattr, unsafe.Pointer(&x)); err != nil {
		return err
	}
	x.projid, x.xflags = id, x.xflags|projInherit
	return ioctl(fd, fsSetXattr, unsafe.Pointer(&x))
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// quotactl asks by descriptor, as the device behind a mount may not be there. man 2 quotactl_fd, Linux 5.14
func quotactl(fd int, command uintptr, id uint32, q *dqblk) error {
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(fd), command<<8|projectQuota, uintptr(id), uintptr(unsafe.Pointer(q)), 0, 0)
	if errno != 0 {
		return errors.Join(ErrNoQuota, errno)
	}
	return nil
}

func ignoreNoQuota(err error) error {
	if errors.Is(err, ErrNoQuota) {
		return nil
	}
	return err
}
