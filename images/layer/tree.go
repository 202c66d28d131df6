package layer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

// tree writes one layer below its root. Every path is resolved by the kernel relative to the root's descriptor
// (openat2(2), RESOLVE_BENEATH), so that no name and no symbolic link of an archive can lead out of it.
type tree struct {
	path     string
	root     int
	umask    uint32
	implicit map[string]bool // directories made for the entries below them
	opaque   bool            // the root hides all lower layers, which overlayfs cannot express by an attribute
	leftOut  map[string]bool // devices that are not made
	acls     bool            // a default ACL was set: new files would inherit it
	budget   int             // of entries, implied directories included
	written  int64           // bytes of files without their holes
	parent   parentDir
	ledger   *ledger // nil: nobody wants one
	hash     hash.Hash
	local    Local // nil: it has nothing, or nothing of it can be shared
	at       int64 // where in the tar the content of the file begins that is added; 0: it is not as it stands there
}

// parentDir is the open directory of the last entry: tar archives go through one directory after the other.
type parentDir struct {
	name   string // "" when none is open
	fd     int
	setgid bool          // new entries inherit the group, directories this bit too
	mtime  unix.Timespec // put back when the directory is left
}

// newTree opens the existing, empty directory at path.
func newTree(dir string, maxFiles int) (*tree, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	epoch := make([]unix.Timespec, 2) // until an entry says otherwise: equal layers become equal trees
	if err := unix.UtimesNanoAt(fd, ".", epoch, 0); err != nil {
		return nil, errors.Join(&os.PathError{Op: "set times of", Path: dir, Err: err}, unix.Close(fd))
	}
	umask := readUmask("/proc/self/status")
	return &tree{path: dir, root: fd, umask: umask, implicit: map[string]bool{".": true}, budget: maxFiles, hash: sha256.New()}, nil
}

// readUmask finds the bits that the kernel takes away from new files; when unknown, all of them may be gone.
func readUmask(status string) uint32 {
	data, err := os.ReadFile(status)
	if err != nil {
		return 0o777
	}
	_, after, _ := strings.Cut(string(data), "\nUmask:\t")
	line, _, _ := strings.Cut(after, "\n")
	mask, err := strconv.ParseUint(line, 8, 32)
	if err != nil {
		return 0o777
	}
	return uint32(mask)
}

func (t *tree) close() error {
	err := t.leave()
	return errors.Join(err, unix.Close(t.root))
}

// leave closes the open parent directory and gives it back the time that its entries changed.
func (t *tree) leave() error {
	if t.parent.name == "" {
		return nil
	}
	times := []unix.Timespec{t.parent.mtime, t.parent.mtime}
	err := unix.UtimesNanoAt(t.parent.fd, ".", times, 0)
	name := t.parent.name
	t.parent.name = ""
	if err := errors.Join(err, unix.Close(t.parent.fd)); err != nil {
		return fmt.Errorf("cannot set the time of directory %q: %w", name, err)
	}
	return nil
}

// enter opens dir, a clean relative path, as the current parent and makes what is missing of it.
func (t *tree) enter(dir string) (*parentDir, error) {
	if t.parent.name == dir {
		return &t.parent, nil
	}
	if err := t.leave(); err != nil {
		return nil, err
	}
	fd, err := t.open(dir)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		if err := t.makeParent(dir); err != nil {
			return nil, err
		}
		if err := t.leave(); err != nil {
			return nil, err
		}
		fd, err = t.open(dir)
	}
	if err != nil {
		return nil, pathError(dir, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot look at directory %q: %w", dir, err), unix.Close(fd))
	}
	t.parent = parentDir{name: dir, fd: fd, setgid: st.Mode&unix.S_ISGID != 0, mtime: st.Mtim}
	return &t.parent, nil
}

func (t *tree) open(dir string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(t.root, dir, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// makeParent makes dir for an entry below it: the archive has no entry for dir itself, or not yet.
func (t *tree) makeParent(dir string) error {
	if err := t.spend(); err != nil {
		return err
	}
	p, err := t.enter(path.Dir(dir))
	if err != nil {
		return err
	}
	base := path.Base(dir)
	hidden, err := t.clearWhiteout(p, base)
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(p.fd, base, 0o755); err != nil {
		if errors.Is(err, unix.EEXIST) {
			return fault.Refusef("an entry lies below %q, which is no directory", fault.Clip(dir))
		}
		return pathError(dir, err)
	}
	t.implicit[dir] = true
	if err := t.setAttrs(p, base, attrs{kind: unix.S_IFDIR, mode: 0o755, mtime: time.Unix(0, 0), force: p.setgid}); err != nil {
		return err
	}
	if hidden {
		return t.setOpaque(p, base)
	}
	return nil
}

// spend counts an entry against the limit of the layer.
func (t *tree) spend() error {
	if t.budget--; t.budget < 0 {
		return fault.Refusef("it has more entries than the limit allows")
	}
	return nil
}

// pathError says what the kernel found wrong with a path of the archive.
func pathError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EXDEV):
		return fault.Refusef("%q goes through a link that leaves the layer", fault.Clip(name))
	case errors.Is(err, unix.ELOOP):
		return fault.Refusef("%q goes through a loop of links", fault.Clip(name))
	case errors.Is(err, unix.ENAMETOOLONG):
		return fault.Refusef("%q is too long a path", fault.Clip(name))
	case errors.Is(err, unix.ENOENT):
		return fault.Refusef("%q points to something that the layer has replaced", fault.Clip(name))
	case errors.Is(err, unix.ENOTDIR):
		return fault.Refusef("%q goes through something that is no directory", fault.Clip(name))
	}
	return fmt.Errorf("cannot write %q: %w", name, err)
}
