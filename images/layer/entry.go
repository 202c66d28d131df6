package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

// Kernel limits (limits.h, NAME_MAX and PATH_MAX).
const (
	maxName = 255
	maxPath = 4095
)

// relative is a name from the layer's root on: some builders write absolute ones, which all others take so.
func relative(name string) string { return path.Clean(strings.TrimLeft(name, "/")) }

// cleanName checks the name of an entry and gives it relative to the root, "." for the root itself.
func cleanName(name string) (string, error) {
	if name == "" {
		return "", fault.Refusef("entry %q has an empty name", name)
	}
	if len(name) > maxPath || strings.ContainsRune(name, 0) {
		return "", fault.Refusef("entry %q has an impossible name", fault.Clip(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fault.Refusef("entry %q leaves the layer", fault.Clip(name))
		}
		if len(part) > maxName {
			return "", fault.Refusef("entry %q has an overlong name", fault.Clip(name))
		}
	}
	return relative(name), nil
}

// add writes one entry of a layer; r gives the content of a regular file.
func (t *tree) add(h *tar.Header, r io.Reader, buf []byte) error {
	if err := t.spend(); err != nil {
		return err
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	dir, base := path.Dir(name), path.Base(name)
	if strings.HasPrefix(dir, whiteoutPrefix) || strings.Contains(dir, "/"+whiteoutPrefix) {
		if strings.HasPrefix(dir, aufsPrefix) {
			return nil
		}
		return fault.Refusef("entry %q lies below a whiteout", fault.Clip(name))
	}
	if strings.HasPrefix(base, whiteoutPrefix) {
		return t.whiteout(name)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		return t.addFile(name, h, r, buf)
	case tar.TypeDir:
		return t.addDir(name, h)
	case tar.TypeSymlink:
		return t.addSymlink(name, h)
	case tar.TypeLink:
		return t.addLink(name, h)
	case tar.TypeFifo:
		return t.addFifo(name, h)
	case tar.TypeChar, tar.TypeBlock:
		return t.addDevice(name, h)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return fault.Refusef("entry %q is of the unknown type %q", fault.Clip(name), h.Typeflag)
}

// place runs mk, which must fail with EEXIST over anything that is there, and clears the way when it does: of several
// entries with one name the last wins.
func (t *tree) place(name string, mk func(p *parentDir, base string) error) (*parentDir, error) {
	if name == "." {
		return nil, fault.Refusef("the root of the layer is no directory")
	}
	p, err := t.enter(path.Dir(name))
	if err != nil {
		return nil, err
	}
	base := path.Base(name)
	err = mk(p, base)
	if errors.Is(err, unix.EEXIST) {
		if p, err = t.clear(name); err != nil {
			return nil, err
		}
		err = mk(p, base)
	}
	if err != nil {
		return nil, pathError(name, err)
	}
	return p, nil
}

// clear removes an earlier entry of the same name, a directory with all that is in it.
func (t *tree) clear(name string) (*parentDir, error) {
	p, err := t.enter(path.Dir(name))
	if err != nil {
		return nil, err
	}
	base := path.Base(name)
	var st unix.Stat_t
	if t.ledger != nil && (unix.Fstatat(p.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR ||
		st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > 0) {
		t.ledger.setBroken() // the tar holds what the tree will not
	}
	err = unix.Unlinkat(p.fd, base, 0)
	if errors.Is(err, unix.EISDIR) {
		err = t.removeDir(p, base)
		for d := range t.implicit {
			if d == name || strings.HasPrefix(d, name+"/") {
				delete(t.implicit, d)
			}
		}
	}
	if err != nil {
		return nil, pathError(name, err)
	}
	return p, nil
}

// removeDir relies on os.Root, which never leaves the directory that it opened.
func (t *tree) removeDir(p *parentDir, base string) error {
	r, err := os.OpenRoot(procPath(p, "."))
	if err != nil {
		return err
	}
	return errors.Join(r.RemoveAll(base), r.Close())
}

func (t *tree) addFile(name string, h *tar.Header, r io.Reader, buf []byte) error {
	a, err := headerAttrs(h, unix.S_IFREG)
	if err != nil {
		return err
	}
	fd := -1
	p, err := t.place(name, func(p *parentDir, base string) (err error) {
		const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err = unix.Openat(p.fd, base, flags, a.mode&0o777)
		return err
	})
	if err != nil {
		return err
	}
	t.hash.Reset()
	n, err := t.writeContent(fd, io.TeeReader(r, t.hash), h.Size, buf)
	t.written += n
	if err == nil && t.ledger != nil && h.Size > 0 {
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err == nil {
			t.ledger.digest(st.Ino, t.hash.Sum(nil))
		}
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("cannot write %q: %w", name, err)
	}
	return t.setAttrs(p, path.Base(name), a)
}

func (t *tree) addDir(name string, h *tar.Header) error {
	a, err := headerAttrs(h, unix.S_IFDIR)
	if err != nil {
		return err
	}
	if name == "." {
		return t.setRoot(a)
	}
	if t.parent.name == name {
		if err := t.leave(); err != nil { // it would put back the time of before
			return err
		}
	}
	p, err := t.enter(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	hidden, err := t.clearWhiteout(p, base)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if unix.Fstatat(p.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		a.force = true
	} else if p, err = t.place(name, func(p *parentDir, base string) error {
		return unix.Mkdirat(p.fd, base, a.mode&0o777)
	}); err != nil {
		return err
	}
	delete(t.implicit, name)
	if err := t.setAttrs(p, base, a); err != nil {
		return err
	}
	if hidden {
		return t.setOpaque(p, base)
	}
	return nil
}

// setRoot describes the layer's root itself.
func (t *tree) setRoot(a attrs) error {
	if err := t.leave(); err != nil {
		return err
	}
	delete(t.implicit, ".")
	a.force = true
	return t.setAttrs(&parentDir{fd: t.root}, ".", a)
}

// addSymlink keeps the target as it is: inside a container it resolves against the container's root.
func (t *tree) addSymlink(name string, h *tar.Header) error {
	a, err := headerAttrs(h, unix.S_IFLNK)
	if err != nil {
		return err
	}
	if h.Linkname == "" || len(h.Linkname) > maxPath {
		return fault.Refusef("symbolic link %q has an empty or overlong target", fault.Clip(name))
	}
	p, err := t.place(name, func(p *parentDir, base string) error {
		return unix.Symlinkat(h.Linkname, p.fd, base)
	})
	if err != nil {
		return err
	}
	return t.setAttrs(p, path.Base(name), a)
}

// addLink makes a hard link; its target must be an earlier entry of the same layer (OCI image specification).
func (t *tree) addLink(name string, h *tar.Header) error {
	target, err := cleanName(h.Linkname)
	if err != nil {
		return fault.Refusef("hard link %q points to %q, which is not inside the layer", fault.Clip(name), fault.Clip(h.Linkname))
	}
	if target == name {
		return fault.Refusef("hard link %q points to itself", fault.Clip(name))
	}
	dir, err := t.open(path.Dir(target))
	if errors.Is(err, unix.ENOENT) && t.leftOut[target] {
		t.leaveOut(name)
		return nil
	}
	if err != nil {
		return linkError(name, target, err)
	}
	defer func() { _ = unix.Close(dir) }() // opened for reading: nothing to lose
	var st unix.Stat_t
	if err := unix.Fstatat(dir, path.Base(target), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) && t.leftOut[target] {
			t.leaveOut(name)
			return nil
		}
		return linkError(name, target, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFDIR || kind == unix.S_IFCHR && st.Rdev == 0 {
		return fault.Refusef("hard link %q points to %q, which is no file", fault.Clip(name), fault.Clip(target))
	}
	_, err = t.place(name, func(p *parentDir, base string) error {
		return unix.Linkat(dir, path.Base(target), p.fd, base, 0)
	})
	return err
}

func linkError(name, target string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fault.Refusef("hard link %q points to %q, which the layer does not hold", fault.Clip(name), fault.Clip(target))
	}
	return pathError(target, err)
}

func (t *tree) addFifo(name string, h *tar.Header) error {
	a, err := headerAttrs(h, unix.S_IFIFO)
	if err != nil {
		return err
	}
	p, err := t.place(name, func(p *parentDir, base string) error {
		return unix.Mknodat(p.fd, base, unix.S_IFIFO|a.mode&0o777, 0)
	})
	if err != nil {
		return err
	}
	return t.setAttrs(p, path.Base(name), a)
}

// addDevice makes the devices that every container has anyway: the chroots of name servers and the like have them. Others,
// which a container's cgroup keeps closed, and all below /dev, which is a file system of the container's own, are left out.
func (t *tree) addDevice(name string, h *tar.Header) error {
	if h.Devmajor == 0 && h.Devminor == 0 {
		return fault.Refusef("entry %q is a device without a number, which stands for a deletion", fault.Clip(name))
	}
	if strings.HasPrefix(name, "dev/") || h.Typeflag != tar.TypeChar || !isHarmless(h.Devmajor, h.Devminor) {
		t.leaveOut(name)
		return nil
	}
	a, err := headerAttrs(h, unix.S_IFCHR)
	if err != nil {
		return err
	}
	p, err := t.place(name, func(p *parentDir, base string) error {
		return unix.Mknodat(p.fd, base, unix.S_IFCHR|a.mode&0o777, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))))
	})
	if errors.Is(err, unix.EPERM) { // podd itself runs in a container
		t.leaveOut(name)
		return nil
	}
	if err != nil {
		return err
	}
	return t.setAttrs(p, path.Base(name), a)
}

// isHarmless is true of null, zero, full, random, urandom and tty. Linux, Documentation/admin-guide/devices.txt
func isHarmless(major, minor int64) bool {
	switch major {
	case 1:
		return minor == 3 || minor == 5 || minor >= 7 && minor <= 9
	case 5:
		return minor == 0
	}
	return false
}

// leaveOut notes an entry that is not made, so that hard links to it are left out, too.
func (t *tree) leaveOut(name string) {
	if t.leftOut == nil {
		t.leftOut = map[string]bool{}
	}
	t.leftOut[name] = true
}
