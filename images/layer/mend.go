package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"podd/internal/xattr"
)

// ErrNoSource: content is lacking and nobody has brought it.
var ErrNoSource = errors.New("the content of files is lacking")

// mendName is where the content of a file is written before it gets its place.
const mendName = ".podd-mend"

// NeedsContent says that some of the differences cannot be mended from the ledger alone.
func NeedsContent(list []Difference) bool { return slices.ContainsFunc(list, needsContent) }

func needsContent(d Difference) bool {
	return d.Problem != Added && d.Problem != Attributes && d.want.kind() == unix.S_IFREG && d.want.Size > 0
}

// Mend makes a layer again what its ledger says, and touches nothing but what differs. source gives the layer as it came,
// plain or compressed; it is asked once if files lack their content, and may be nil. Content is believed by its digest.
func Mend(ctx context.Context, dir string, list []Difference, source func() (io.ReadCloser, error)) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot mend a layer: %w", err)
	}
	defer func() { _ = root.Close() }()
	m := &mending{root: root, dir: dir, touched: map[string]unix.Timespec{}, lacking: map[string]*Difference{}}
	if err := errors.Join(m.run(ctx, list, source), m.leave()); err != nil {
		return fmt.Errorf("cannot mend a layer: %w", err)
	}
	return nil
}

type mending struct {
	root    *os.Root
	dir     string
	touched map[string]unix.Timespec // folders whose time changes with what is in them
	lacking map[string]*Difference
}

func (m *mending) run(ctx context.Context, list []Difference, source func() (io.ReadCloser, error)) error {
	for i := range list {
		d := &list[i]
		if err := m.clear(d); err != nil {
			return err
		}
	}
	for i := range list {
		d := &list[i]
		var err error
		switch {
		case d.Problem == Added || d.Problem == Attributes:
		case needsContent(*d):
			m.lacking[d.Path] = d
		default:
			err = m.make(&d.want)
		}
		if err != nil {
			return err
		}
	}
	if len(m.lacking) > 0 {
		if err := m.fetch(ctx, source); err != nil {
			return err
		}
	}
	// From the inside out: a folder's time changes with what is made in it.
	for i := len(list) - 1; i >= 0; i-- {
		if d := &list[i]; d.Problem != Added {
			if err := m.attributes(&d.want); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave gives folders back the time that they had before something was made in them.
func (m *mending) leave() error {
	var errs []error
	for dir, mtime := range m.touched {
		errs = append(errs, m.times(dir, mtime))
	}
	return errors.Join(errs...)
}

// touch keeps the time of the folder that an entry is in, unless the folder itself is mended.
func (m *mending) touch(at string) error {
	dir := path.Dir(at)
	if _, known := m.touched[dir]; known || at == "." {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(m.dir, dir), &st); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil // it is made, too
		}
		return &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	m.touched[dir] = st.Mtim
	return nil
}

// clear takes away what should not be there, or is of another kind.
func (m *mending) clear(d *Difference) error {
	if d.Problem != Added && d.Problem != Kind {
		return nil
	}
	if d.Path == "." {
		return errors.New("it is no folder")
	}
	return errors.Join(m.touch(d.Path), m.root.RemoveAll(d.Path))
}

// make makes an entry that has no content.
func (m *mending) make(e *Entry) error {
	if err := m.touch(e.Path); err != nil {
		return err
	}
	full := filepath.Join(m.dir, e.Path)
	switch e.kind() {
	case unix.S_IFDIR:
		return m.root.Mkdir(e.Path, 0o700)
	case unix.S_IFLNK:
		return m.root.Symlink(e.Target, e.Path)
	case unix.S_IFREG: // an empty one
		return errors.Join(m.root.RemoveAll(e.Path), m.root.WriteFile(e.Path, nil, 0o600))
	case unix.S_IFCHR, unix.S_IFIFO:
		if err := unix.Mknod(full, e.kind()|0o600, int(e.Rdev)); err != nil {
			return &fs.PathError{Op: "mknod", Path: e.Path, Err: err}
		}
	}
	return nil
}

// fetch reads the layer once and takes out of it what is lacking.
func (m *mending) fetch(ctx context.Context, source func() (io.ReadCloser, error)) error {
	if source == nil {
		return fmt.Errorf("%w, %s for one", ErrNoSource, m.example())
	}
	blob, err := source()
	if err != nil {
		return err
	}
	defer func() { _ = blob.Close() }()
	z, err := Decompress(bufio.NewReaderSize(blob, PumpChunk))
	if err != nil {
		return TarError(err)
	}
	defer func() { _ = z.Close() }()
	byContent := map[[32]byte][]*Difference{}
	for _, d := range m.lacking {
		byContent[d.sum] = append(byContent[d.sum], d)
	}
	sizes := map[int64]bool{}
	for _, d := range m.lacking {
		sizes[d.want.Size] = true
	}
	r := tar.NewReader(z)
	for len(m.lacking) > 0 {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the layer that was brought does not have it, %s for one", ErrNoSource, m.example())
		}
		if err != nil {
			return TarError(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if (h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse && h.Typeflag != tar.TypeCont) || !sizes[h.Size] {
			continue
		}
		if err := m.take(r, h.Size, byContent); err != nil {
			return TarError(err)
		}
	}
	return nil
}

func (m *mending) example() string {
	for path := range m.lacking {
		return path
	}
	return ""
}

// take writes one file of the layer beside its place, and puts it there if it is one that is lacking.
func (m *mending) take(r io.Reader, size int64, byContent map[[32]byte][]*Difference) error {
	if err := m.touch(mendName); err != nil {
		return err
	}
	_ = m.root.RemoveAll(mendName)
	f, err := m.root.OpenFile(mendName, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = m.root.Remove(mendName) }() // if it is still there
	h := sha256.New()
	_, err = writeSparse(int(f.Fd()), io.TeeReader(r, h), size, make([]byte, PumpChunk))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	wanted := byContent[[32]byte(h.Sum(nil))]
	for i, d := range wanted {
		if err := m.touch(d.Path); err != nil {
			return err
		}
		if i == 0 {
			err = m.root.Rename(mendName, d.Path)
		} else if err = m.root.RemoveAll(d.Path); err == nil {
			err = m.root.Link(wanted[0].Path, d.Path)
			if wanted[0].want.Inode != d.want.Inode && err == nil { // the same content by chance: a file of its own
				err = m.copy(wanted[0].Path, d.Path)
			}
		}
		if err != nil {
			return err
		}
		delete(m.lacking, d.Path)
	}
	delete(byContent, [32]byte(h.Sum(nil)))
	return nil
}

func (m *mending) copy(from, to string) error {
	in, err := m.root.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := m.root.Remove(to); err != nil {
		return err
	}
	out, err := m.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// attributes gives an entry what the ledger says of it, in the order that the kernel wants (see tree.setAttrs).
func (m *mending) attributes(e *Entry) error {
	full := filepath.Join(m.dir, e.Path)
	if err := unix.Lchown(full, int(e.UID), int(e.GID)); err != nil {
		return &fs.PathError{Op: "chown", Path: e.Path, Err: err}
	}
	if kind := e.kind(); kind == unix.S_IFREG || kind == unix.S_IFDIR {
		have, err := xattr.Read(full)
		if err != nil {
			return err
		}
		for name := range have {
			if _, keep := e.Xattrs[name]; !keep {
				_ = unix.Lremovexattr(full, name) // of the machine's own there may be some that stay
			}
		}
		for name, value := range e.Xattrs {
			if err := unix.Lsetxattr(full, name, []byte(value), 0); err != nil {
				return &fs.PathError{Op: "setxattr " + name, Path: e.Path, Err: err}
			}
		}
	}
	if e.kind() != unix.S_IFLNK {
		if err := unix.Chmod(full, e.Mode&0o7777); err != nil {
			return &fs.PathError{Op: "chmod", Path: e.Path, Err: err}
		}
	}
	delete(m.touched, e.Path)
	return m.times(e.Path, e.MTime)
}

func (m *mending) times(at string, mtime unix.Timespec) error {
	t := []unix.Timespec{mtime, mtime}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(m.dir, at), t, unix.AT_SYMLINK_NOFOLLOW); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "set times of", Path: at, Err: err}
	}
	return nil
}
