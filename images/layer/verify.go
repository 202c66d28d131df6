package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Difference is one entry of a layer that is not what it was.
type Difference struct {
	Path    string
	Problem string // "missing", "added", "content", "attributes" or "kind"
	want    Entry  // unless it was added
	sum     [32]byte
	hashed  bool // sum is the digest of its content
	unread  error
}

// The words of Difference.Problem.
const (
	Missing    = "missing"
	Added      = "added"
	Content    = "content"
	Attributes = "attributes"
	Kind       = "kind"
)

// Err is why the content could not be read; nil: it could.
func (d *Difference) Err() error { return d.unread }

// Verify compares a layer with its ledger: each entry, and each file's content by its digest. The differences are in the order
// of their paths, a folder before what is in it.
func Verify(ctx context.Context, ledgerFile, dir string) ([]Difference, error) {
	l, err := readListing(ledgerFile)
	if err != nil {
		return nil, fmt.Errorf("cannot verify a layer: %w", err)
	}
	v := &verification{ctx: ctx, dir: dir, want: make(map[string]*Entry, len(l.entries)), listing: l, seen: map[string]bool{}, good: map[uint64]bool{}}
	for i := range l.entries {
		v.want[l.entries[i].Path] = &l.entries[i]
	}
	if err := walk(dir, v.compare); err != nil {
		return nil, fmt.Errorf("cannot verify a layer: %w", err)
	}
	for i := range l.entries {
		if e := &l.entries[i]; !v.seen[e.Path] {
			v.found = append(v.found, v.differs(e, Missing))
		}
	}
	return v.found, nil
}

type verification struct {
	ctx     context.Context
	dir     string
	listing *listing
	want    map[string]*Entry
	seen    map[string]bool
	good    map[uint64]bool // inodes whose content was read already: hard links
	found   []Difference
}

func (v *verification) differs(e *Entry, problem string) Difference {
	d := Difference{Path: e.Path, Problem: problem, want: *e}
	if e.kind() == unix.S_IFREG && e.Size > 0 {
		d.sum, d.hashed = v.listing.digests[e.Inode]
	}
	return d
}

func (v *verification) compare(have *Entry) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	want := v.want[have.Path]
	if want == nil {
		v.found = append(v.found, Difference{Path: have.Path, Problem: Added})
		if have.kind() == unix.S_IFDIR {
			return errSkip
		}
		return nil
	}
	v.seen[have.Path] = true
	switch {
	case have.kind() != want.kind(), have.Target != want.Target, have.Rdev != want.Rdev:
		v.found = append(v.found, v.differs(want, Kind))
		if have.kind() == unix.S_IFDIR {
			return errSkip
		}
		return nil
	case have.Size != want.Size:
		v.found = append(v.found, v.differs(want, Content))
		return nil
	}
	if have.kind() == unix.S_IFREG && have.Size > 0 && !v.good[have.Inode] {
		sum, known := v.listing.digests[want.Inode]
		got, err := hashFile(filepath.Join(v.dir, have.Path))
		if err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EBADMSG) && !errors.Is(err, unix.EUCLEAN) {
			return err
		}
		if err != nil || known && got != sum {
			d := v.differs(want, Content)
			d.unread = err
			v.found = append(v.found, d)
			return nil
		}
		v.good[have.Inode] = true
	}
	if have.Mode != want.Mode || have.UID != want.UID || have.GID != want.GID || have.MTime != want.MTime || !maps.Equal(have.Xattrs, want.Xattrs) {
		v.found = append(v.found, v.differs(want, Attributes))
	}
	return nil
}

// hashFile reads a file without letting it push others out of the memory of a small board.
func hashFile(path string) (sum [32]byte, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) { // O_NOATIME is for owners
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return sum, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	_ = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) // a hint
	h.Sum(sum[:0])
	return sum, nil
}
