package volume

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// xattrPrefix is how tar archives name extended attributes. GNU tar and bsdtar read it.
const xattrPrefix = "SCHILY.xattr."

// Backup writes a folder as a tar archive: owners, modes, times, extended attributes, links of both kinds and devices.
// What a pod changes meanwhile is there as it was found; a file that shrinks is filled up with zeros.
func Backup(dir string, out io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	defer func() { _ = root.Close() }()
	b := backup{root, tar.NewWriter(out), map[uint64]string{}}
	err = fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err == nil {
			err = b.entry(name)
		}
		return err
	})
	if err == nil {
		err = b.tar.Close()
	}
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	return nil
}

type backup struct {
	root *os.Root
	tar  *tar.Writer
	seen map[uint64]string // first names of files with several, by inode
}

func (b *backup) entry(name string) error {
	info, err := b.root.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSocket != 0 {
		return ignoreMissing(err)
	}
	if info.Mode().IsRegular() || info.IsDir() {
		return b.data(name)
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = b.root.Readlink(name); err != nil {
			return ignoreMissing(err)
		}
	}
	h, err := header(name, info, target)
	if err != nil {
		return err
	}
	return b.tar.WriteHeader(h)
}

func header(name string, info fs.FileInfo, target string) (*tar.Header, error) {
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, err
	}
	h.Name, h.Format, h.Uname, h.Gname = name, tar.FormatPAX, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	return h, nil
}

// data writes a file or a folder, as it is once it is open.
func (b *backup) data(name string) error {
	f, err := b.open(name)
	if err != nil {
		return ignoreMissing(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, err := header(name, info, "")
	if err != nil {
		return err
	}
	if b.linked(f, h) {
		return b.tar.WriteHeader(h)
	}
	h.PAXRecords = xattrs(int(f.Fd()))
	if err := b.tar.WriteHeader(h); err != nil || info.IsDir() {
		return err
	}
	n, err := io.Copy(b.tar, io.LimitReader(f, h.Size))
	if err == nil && n < h.Size {
		_, err = io.CopyN(b.tar, zeros{}, h.Size-n)
	}
	return err
}

func (b *backup) open(name string) (*os.File, error) {
	handle, err := b.root.OpenFile(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = handle.Close() }()
	fd, err := reopenData(int(handle.Fd()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// linked turns a header into a link where another name of the file is in the archive already.
func (b *backup) linked(f *os.File, h *tar.Header) bool {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink < 2 || h.Typeflag == tar.TypeDir {
		return false
	}
	first, ok := b.seen[st.Ino]
	if !ok {
		b.seen[st.Ino] = h.Name
		return false
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	return true
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func xattrs(fd int) map[string]string {
	size, err := unix.Flistxattr(fd, nil)
	if err != nil || size == 0 {
		return nil
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(fd, list); err != nil {
		return nil
	}
	out := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10) // man 7 xattr: no value is larger
		if n, err := unix.Fgetxattr(fd, name, value); err == nil {
			out[xattrPrefix+name] = string(value[:n])
		}
	}
	return out
}

// Restore makes the folder dir of an archive that Backup, or any tar, has written. dir must not be there. Nothing of
// the archive leaves it, and no more than size bytes come into it where the file system has quotas; 0: no limit. An archive
// that was cut short is none.
func Restore(dir string, in io.Reader, size int64) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("cannot restore: %w", err) // what is there stays
	}
	var err error
	if size > 0 {
		err = ignoreNoQuota(Limit(dir, size))
	}
	if err == nil {
		err = restore(dir, in)
	}
	// man 7 capabilities, CAP_SYS_RESOURCE: podd itself may exceed limits.
	if limit, used, none := Quota(dir); err == nil && none == nil && used > limit {
		err = fmt.Errorf("the archive takes %d bytes, the claim has %d: %w", used, limit, unix.EDQUOT)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot restore: %w", err), removeLimited(dir))
	}
	return nil
}

func restore(dir string, stream io.Reader) error {
	end := &endMark{in: stream}
	in := tar.NewReader(end)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var folders []*tar.Header // their times change while they are filled
	for {
		end.zeros = 0
		h, err := in.Next()
		if errors.Is(err, io.EOF) && end.missing() {
			err = fmt.Errorf("the archive was cut short: %w", io.ErrUnexpectedEOF)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		h.Name = path.Clean(h.Name)
		if err := restoreEntry(root, h, in); err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
		if h.Typeflag == tar.TypeDir {
			folders = append(folders, h)
		}
	}
	for i := len(folders) - 1; i >= 0; i-- {
		h := folders[i]
		if err := errors.Join(root.Lchown(h.Name, h.Uid, h.Gid), root.Chmod(h.Name, fileMode(uint32(h.Mode))), root.Chtimes(h.Name, h.ModTime, h.ModTime)); err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
	}
	return syncTree(dir)
}

// endMark sees whether a tar ends with blocks of zeros, as POSIX has it: the reader of package tar takes one that stops
// between two files for whole.
type endMark struct {
	in    io.Reader
	zeros int // how many were read last
}

func (e *endMark) Read(p []byte) (int, error) {
	n, err := e.in.Read(p)
	tail := len(bytes.TrimRight(p[:n], "\x00"))
	if tail > 0 {
		e.zeros = 0
	}
	e.zeros += n - tail
	return n, err
}

// missing: what fills up the last file is shorter than a block.
func (e *endMark) missing() bool { return e.zeros < 512 }

// syncTree commits what was restored before anything counts on it.
func syncTree(dir string) error {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return unix.Syncfs(fd)
}

func restoreEntry(root *os.Root, h *tar.Header, in io.Reader) error {
	if parent := path.Dir(h.Name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(h.Name, 0o755); err != nil {
			return err
		}
		return restoreXattrs(root, h)
	case tar.TypeSymlink:
		return errors.Join(root.Symlink(h.Linkname, h.Name), root.Lchown(h.Name, h.Uid, h.Gid))
	case tar.TypeLink:
		return root.Link(path.Clean(h.Linkname), h.Name)
	case tar.TypeReg:
		return restoreFile(root, h, in)
	case tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
		return restoreNode(root, h)
	}
	return fmt.Errorf("the archive has an entry of type %q, which podd does not know", h.Typeflag)
}

func restoreFile(root *os.Root, h *tar.Header, in io.Reader) error {
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = copySparse(f, in, h.Size)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	// Owner before mode and attributes: a chown clears both.
	return errors.Join(root.Lchown(h.Name, h.Uid, h.Gid), root.Chmod(h.Name, fileMode(uint32(h.Mode))), restoreXattrs(root, h), root.Chtimes(h.Name, h.ModTime, h.ModTime))
}

// copySparse leaves holes where there are only zeros.
func copySparse(f *os.File, in io.Reader, size int64) error {
	block, empty := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(in, block[:min(size-at, int64(len(block)))])
		if err != nil {
			return err
		}
		if string(block[:n]) != string(empty[:n]) {
			if _, err := f.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return f.Truncate(size)
}

func restoreXattrs(root *os.Root, h *tar.Header) error {
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, xattrPrefix)
		if !ok {
			continue
		}
		f, err := root.Open(h.Name)
		if err != nil {
			return err
		}
		err = unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("cannot set attribute %s: %w", name, err)
		}
	}
	return nil
}

func restoreNode(root *os.Root, h *tar.Header) error {
	parent, err := root.Open(path.Dir(h.Name))
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	kind := map[byte]uint32{tar.TypeFifo: unix.S_IFIFO, tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK}[h.Typeflag]
	if err := unix.Mknodat(int(parent.Fd()), path.Base(h.Name), kind|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))); err != nil {
		return err
	}
	return errors.Join(root.Lchown(h.Name, h.Uid, h.Gid), root.Chmod(h.Name, fileMode(uint32(h.Mode))))
}
