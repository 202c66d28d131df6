package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// state is what must survive the process. Its layout is that of the mapped file:
// a change of it needs a new layout number.
type state struct {
	read [streams]int64 // spool offset up to which everything is in the log
	lost [streams]int64 // bytes dropped of which the log does not tell yet

	// The intent: length bytes are being written to the file of that inode at
	// offset; then the stream's read and lost become readThen and lostThen.
	length, offset     int64 // length 0: none
	inode              uint64
	stream             int64
	readThen, lostThen int64

	// The move: the unread rest, moveLen bytes, stands at the front of the stream's
	// spool too, and the spool is being cut there.
	move, moveLen int64 // move 0: none, else stream+1
}

// stateFile is the name of the mapped file in the spool's folder.
const stateFile = "spool.state"

// stateLayout numbers the layout of page.
const stateLayout = 1

// page is the mapped state file. Processes follow one another, so that plain
// stores to the invalid version and one atomic store suffice.
type page struct {
	layout   uint32
	valid    atomic.Uint32
	versions [2]state
}

// load gives the valid version.
func (p *page) load() state { return p.versions[p.valid.Load()&1] }

// store makes next the valid version, all of it or nothing.
func (p *page) store(next state) {
	spare := p.valid.Load()&1 ^ 1
	p.versions[spare] = next
	p.valid.Store(spare)
}

// mapState maps the state file and makes it if need be. The page is allocated
// before it is touched: on a full tmpfs the first store would be a SIGBUS.
func mapState(dir string, damaged atomicfile.Report) ([]byte, *page, error) {
	path := filepath.Join(dir, stateFile)
	memory, p, err := mapStateAt(path, damaged)
	if !errors.Is(err, ErrState) {
		return memory, p, err
	}
	damaged.Of(atomicfile.SetAside(path, err), lostLines)
	return mapStateAt(path, damaged)
}

// lostLines is what a spool costs that cannot be used.
const lostLines = "the last lines of a container's log may be lost, or there twice"

func mapStateAt(path string, damaged atomicfile.Report) ([]byte, *page, error) {
	fd, err := openRegular(path, 0o600, damaged, lostLines)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open log state %s: %w", path, err)
	}
	defer unix.Close(fd)
	size := os.Getpagesize()
	// tmpfs gives up when a signal comes, and Go's scheduler sends them.
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Fallocate(fd, 0, 0, int64(size))
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = unix.Ftruncate(fd, int64(size)) // no tmpfs, so nothing to lose by it
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot allocate log state %s: %w", path, err)
	}
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot map log state %s: %w", path, err)
	}
	p := (*page)(unsafe.Pointer(unsafe.SliceData(memory)))
	if p.layout == 0 {
		p.layout = stateLayout
	}
	if layout := p.layout; layout != stateLayout {
		unix.Munmap(memory)
		return nil, nil, fmt.Errorf("cannot use log state %s: %w %d", path, ErrState, layout)
	}
	if now := p.load(); !now.possible() {
		unix.Munmap(memory)
		return nil, nil, fmt.Errorf("cannot use log state %s: %w: what it says cannot be", path, ErrState)
	}
	return memory, p, nil
}

// possible refuses what no process has stored.
func (s *state) possible() bool {
	if s.stream < 0 || s.stream >= int64(streams) || s.move < 0 || s.move > int64(streams) {
		return false
	}
	for _, n := range []int64{s.length, s.offset, s.readThen, s.lostThen, s.moveLen, s.read[Stdout], s.read[Stderr], s.lost[Stdout], s.lost[Stderr]} {
		if n < 0 || n > maxOffset {
			return false
		}
	}
	return s.length <= maxIntent
}

const (
	maxOffset = 1 << 50 // bytes; more than any file has
	maxIntent = 1 << 30 // bytes; more than is ever written at once
)

// openRegular opens a file to read and write, and makes it if need be. What stands in its place and is no file is set
// aside.
func openRegular(path string, mode uint32, damaged atomicfile.Report, lost string) (fd int, err error) {
	for range 2 {
		fd, err = unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
		var info unix.Stat_t
		if err == nil {
			if err = unix.Fstat(fd, &info); err == nil && info.Mode&unix.S_IFMT == unix.S_IFREG {
				return fd, nil
			}
			unix.Close(fd)
			err = errors.Join(atomicfile.ErrNotRegular, err)
		} else if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.ENXIO) {
			return -1, err
		}
		damaged.Of(atomicfile.SetAside(path, atomicfile.ErrNotRegular), lost)
	}
	return -1, err
}
