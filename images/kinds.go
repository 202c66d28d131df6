package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"

	"golang.org/x/sys/unix"
)

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
	n, err := writeSparse(fd, r, h.Size, buf)
	t.written += n
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
		return refusef("symbolic link %q has an empty or overlong target", clip(name))
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
		return refusef("hard link %q points to %q, which is not inside the layer", clip(name), clip(h.Linkname))
	}
	if target == name {
		return refusef("hard link %q points to itself", clip(name))
	}
	dir, err := t.open(path.Dir(target))
	if err != nil {
		return linkError(name, target, err)
	}
	defer func() { _ = unix.Close(dir) }() // opened for reading: nothing to lose
	var st unix.Stat_t
	if err := unix.Fstatat(dir, path.Base(target), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) && path.Dir(name) == "dev" && path.Dir(target) == "dev" {
			return nil // to a device node that was left out
		}
		return linkError(name, target, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFDIR || kind == unix.S_IFCHR {
		return refusef("hard link %q points to %q, which is no file", clip(name), clip(target))
	}
	_, err = t.place(name, func(p *parentDir, base string) error {
		return unix.Linkat(dir, path.Base(target), p.fd, base, 0)
	})
	return err
}

func linkError(name, target string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return refusef("hard link %q points to %q, which the layer does not hold", clip(name), clip(target))
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
