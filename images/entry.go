package images

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel limits (limits.h, NAME_MAX and PATH_MAX).
const (
	maxName = 255
	maxPath = 4095
)

// cleanName checks the name of an entry and gives it relative to the root, "." for the root itself.
func cleanName(name string) (string, error) {
	if name == "/" {
		return ".", nil // kaniko describes the root so
	}
	if name == "" || strings.HasPrefix(name, "/") {
		return "", refusef("entry %q has an absolute or empty name", clip(name))
	}
	if len(name) > maxPath || strings.ContainsRune(name, 0) {
		return "", refusef("entry %q has an impossible name", clip(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", refusef("entry %q leaves the layer", clip(name))
		}
		if len(part) > maxName {
			return "", refusef("entry %q has an overlong name", clip(name))
		}
	}
	return path.Clean(name), nil
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
		return refusef("entry %q lies below a whiteout", clip(name))
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
		// A container's /dev is a file system of its own, so that old base images' nodes there would be hidden anyway.
		if dir == "dev" && (h.Devmajor != 0 || h.Devminor != 0) {
			return nil
		}
		return refusef("entry %q is a device, which no image needs outside /dev", clip(name))
	case tar.TypeXGlobalHeader:
		return nil
	}
	return refusef("entry %q is of the unknown type %q", clip(name), h.Typeflag)
}

// place runs mk, which must fail with EEXIST over anything that is there, and clears the way when it does: of several
// entries with one name the last wins.
func (t *tree) place(name string, mk func(p *parentDir, base string) error) (*parentDir, error) {
	if name == "." {
		return nil, refusef("the root of the layer is no directory")
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
