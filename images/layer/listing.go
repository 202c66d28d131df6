package layer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"podd/internal/xattr"
)

// Entry is one file, folder, link or whiteout of an unpacked layer.
type Entry struct {
	Path     string // "." is the layer itself
	Mode     uint32 // as of stat(2), with the kind
	UID, GID uint32
	Size     int64 // of files
	Rdev     uint64
	MTime    unix.Timespec
	Target   string // of symbolic links
	Xattrs   map[string]string
	Inode    uint64 // the same for hard links
}

func (e *Entry) kind() uint32 { return e.Mode & unix.S_IFMT }

// append encodes e; without its inode it is what two trees of one layer have in common.
func (e *Entry) append(b []byte, inode bool) []byte {
	b = appendText(b, e.Path)
	for _, n := range []uint64{uint64(e.Mode), uint64(e.UID), uint64(e.GID), uint64(e.Size), e.Rdev, uint64(e.MTime.Nano())} {
		b = binary.AppendUvarint(b, n)
	}
	b = appendText(b, e.Target)
	b = binary.AppendUvarint(b, uint64(len(e.Xattrs)))
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		b = appendText(appendText(b, name), e.Xattrs[name])
	}
	if inode {
		b = binary.AppendUvarint(b, e.Inode)
	}
	return b
}

func (e *Entry) read(r *ledgerReader) error {
	*e = Entry{}
	var err error
	if e.Path, err = r.text(maxPath); err != nil {
		return err
	}
	var n [6]uint64
	for i := range n {
		if n[i], err = binary.ReadUvarint(r.r); err != nil {
			return err
		}
	}
	e.Mode, e.UID, e.GID, e.Size, e.Rdev, e.MTime = uint32(n[0]), uint32(n[1]), uint32(n[2]), int64(n[3]), n[4], unix.NsecToTimespec(int64(n[5]))
	if e.Target, err = r.text(maxPath); err != nil {
		return err
	}
	count, err := r.number()
	if err != nil || count > 1<<16 {
		return errors.Join(errLedger, err)
	}
	for range count {
		name, err := r.text(256)
		if err != nil {
			return err
		}
		value, err := r.text(1 << 16)
		if err != nil {
			return err
		}
		if e.Xattrs == nil {
			e.Xattrs = map[string]string{}
		}
		e.Xattrs[name] = value
	}
	e.Inode, err = binary.ReadUvarint(r.r)
	return err
}

// walk calls each for all entries of a tree, a folder before what is in it and by name. It reads no file.
func walk(dir string, each func(e *Entry) error) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return walkDir(os.NewFile(uintptr(fd), dir), ".", each)
}

func walkDir(d *os.File, name string, each func(e *Entry) error) error {
	defer func() { _ = d.Close() }()
	fd := int(d.Fd())
	if name == "." {
		e, err := look(fd, ".", ".")
		if err == nil {
			err = each(e)
		}
		if err != nil {
			return err
		}
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, base := range names {
		at := path.Join(name, base)
		e, err := look(fd, base, at)
		if err == nil {
			err = each(e)
		}
		if errors.Is(err, errSkip) {
			continue
		}
		if err != nil {
			return err
		}
		if e.kind() != unix.S_IFDIR {
			continue
		}
		sub, err := unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return &fs.PathError{Op: "open", Path: at, Err: err}
		}
		if err := walkDir(os.NewFile(uintptr(sub), at), at, each); err != nil {
			return err
		}
	}
	return nil
}

// errSkip keeps a walk out of a folder.
var errSkip = errors.New("not this folder")

func look(dir int, base, at string) (*Entry, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: at, Err: err}
	}
	e := &Entry{Path: at, Mode: st.Mode, UID: st.Uid, GID: st.Gid, MTime: st.Mtim, Inode: st.Ino}
	switch e.kind() {
	case unix.S_IFREG:
		e.Size = st.Size
	case unix.S_IFLNK:
		target := make([]byte, maxPath+1)
		n, err := unix.Readlinkat(dir, base, target)
		if err != nil {
			return nil, &fs.PathError{Op: "readlink", Path: at, Err: err}
		}
		e.Target = string(target[:n])
		return e, nil // a link has none of an image's attributes
	case unix.S_IFCHR, unix.S_IFBLK:
		e.Rdev = uint64(st.Rdev)
		return e, nil
	}
	x, err := xattr.Read(fmt.Sprintf("/proc/self/fd/%d/%s", dir, base))
	if err != nil {
		return nil, err
	}
	for name := range x {
		if name != opaqueXattr && name != "security.capability" && !strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "system.posix_acl_") {
			delete(x, name) // of the machine, not of the image
		}
	}
	if len(x) > 0 {
		e.Xattrs = x
	}
	return e, nil
}

// Shape sums up all of a tree but the content of its files: names, kinds, sizes, owners, modes, times, links and attributes.
// A power cut on a disk that does not keep its word shows in it, at the price of one stat(2) an entry.
func Shape(dir string) (string, error) {
	h := sha256.New()
	var buf []byte
	err := walk(dir, func(e *Entry) error {
		buf = e.append(buf[:0], false)
		_, err := h.Write(buf)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot look at layer %s: %w", path.Base(dir), err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// HighestID is the largest user or group of what is in the layer at dir.
func HighestID(dir string) (highest uint32, err error) {
	err = walk(dir, func(e *Entry) error {
		highest = max(highest, e.UID, e.GID)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("cannot look at layer %s: %w", path.Base(dir), err)
	}
	return highest, nil
}

// list writes the entries of a tree into its ledger and sums them up.
func (l *ledger) list(dir string) (shape string, highest uint32, err error) {
	h := sha256.New()
	var buf []byte
	err = walk(dir, func(e *Entry) error {
		l.entry(e)
		highest = max(highest, e.UID, e.GID)
		buf = e.append(buf[:0], false)
		_, err := h.Write(buf)
		return err
	})
	if err != nil {
		return "", 0, fmt.Errorf("cannot keep the digests of a layer: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), highest, nil
}

// listing is a ledger's account of the tree.
type listing struct {
	entries []Entry // in the order of walk
	digests map[uint64][32]byte
}

func readListing(ledgerFile string) (*listing, error) {
	r, err := openLedger(ledgerFile)
	if err != nil {
		return nil, err
	}
	defer r.close()
	l := &listing{digests: map[uint64][32]byte{}}
	var t token
	for {
		err := r.next(&t)
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ledgerFile, err)
		}
		switch t.kind {
		case tokenRaw:
			if _, err := r.r.Discard(int(t.size)); err != nil {
				return nil, fmt.Errorf("%s: %w", ledgerFile, damaged(err))
			}
		case tokenDigest:
			l.digests[t.inode] = t.sum
		case tokenEntry:
			l.entries = append(l.entries, t.entry)
		}
	}
}
