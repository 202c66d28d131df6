package volume

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fsxattr is struct fsxattr. man 2 ioctl_xfs_fsgetxattr
type fsxattr struct {
	xflags, extsize, nextents, projid, cowextsize uint32
	_                                             [8]byte
}

// dqblk is struct if_nextdqblk, which begins as struct if_dqblk does. man 2 quotactl
type dqblk struct {
	bhard, bsoft, bytes, ihard, isoft, inodes, btime, itime uint64
	valid, id                                               uint32
}

// quotaState is struct fs_quota_statv, with room for what later kernels may add. man 2 quotactl
type quotaState struct {
	version uint8
	_       uint8
	flags   uint16
	_       [252]byte
}

const (
	fsGetXattr   = 0x801c581f // FS_IOC_FSGETXATTR
	fsSetXattr   = 0x401c5820 // FS_IOC_FSSETXATTR
	projInherit  = 0x200      // FS_XFLAG_PROJINHERIT
	qGetQuota    = 0x800007
	qSetQuota    = 0x800008
	qGetNext     = 0x800009 // Linux 4.6
	qGetState    = 0x5808   // Q_XGETQSTATV, which ext4 answers as well
	projectQuota = 2        // PRJQUOTA
	validBlocks  = 1        // QIF_BLIMITS
	enforced     = 0x20     // FS_QUOTA_PDQ_ENFD
)

// quotaHeld says that the file system keeps projects to their limits. One with the features of project quotas that is
// mounted without prjquota counts, takes limits, and lets everybody exceed them.
func quotaHeld(fd int) bool {
	state := quotaState{version: 1} // FS_QSTATV_VERSION1
	return quotactl(fd, qGetState, 0, unsafe.Pointer(&state)) == nil && state.flags&enforced != 0
}

// projectUse is what is known of a project; xfs says ENOENT of one that has nothing.
func projectUse(fd int, id uint32) (dqblk, error) {
	var q dqblk
	err := quotactl(fd, qGetQuota, id, unsafe.Pointer(&q))
	if errors.Is(err, unix.ENOENT) {
		return dqblk{}, nil
	}
	return q, err
}

// setLimit limits a project to so many bytes, rounded up to what the kernel counts in; 0: no limit.
func setLimit(fd int, id uint32, bytes int64) error {
	q := dqblk{bhard: blocks(bytes), valid: validBlocks}
	return quotactl(fd, qSetQuota, id, unsafe.Pointer(&q))
}

// blocks are what limits are counted in, of 1 KiB each on every file system.
func blocks(bytes int64) uint64 { return uint64(bytes+1023) >> 10 }

func getProject(fd int) (x fsxattr, err error) {
	return x, ioctl(fd, fsGetXattr, unsafe.Pointer(&x))
}

// setProject puts a file into a project; of a folder also all that comes into it from now on.
func setProject(fd int, id uint32, folder bool) error {
	x, err := getProject(fd)
	if err != nil {
		return err
	}
	x.projid = id
	if folder {
		x.xflags |= projInherit
	}
	return ioctl(fd, fsSetXattr, unsafe.Pointer(&x))
}

// openToAll lets a folder take in files of other projects.
func openToAll(fd int) error {
	x, err := getProject(fd)
	if err != nil {
		return err
	}
	x.xflags &^= projInherit
	return ioctl(fd, fsSetXattr, unsafe.Pointer(&x))
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// quotactl asks by descriptor, as the device behind a mount may not be there. man 2 quotactl_fd, Linux 5.14
func quotactl(fd int, command uintptr, id uint32, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(fd), command<<8|projectQuota, uintptr(id), uintptr(arg), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
