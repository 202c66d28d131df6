package layer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
	aufsPrefix     = ".wh..wh." // aufs' own bookkeeping: hard link farms and such
	opaqueXattr    = "trusted.overlay.opaque"
)

// whiteout turns a layer's deletion mark (OCI image specification, "Whiteouts") into overlayfs' own: a character device
// 0/0 for one name, an attribute for a directory that hides everything below it in lower layers. A mark concerns lower
// layers only, wherever it stands in its own layer.
func (t *tree) whiteout(name string) error {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if base == opaqueName {
		return t.opaqueDir(dir)
	}
	if strings.HasPrefix(base, aufsPrefix) {
		return nil
	}
	target := base[len(whiteoutPrefix):]
	if target == "" || target == "." || target == ".." {
		return fault.Refusef("whiteout %q hides nothing that can be named", fault.Clip(name))
	}
	p, err := t.enter(dir)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Fstatat(p.fd, target, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		if err := unix.Mknodat(p.fd, target, unix.S_IFCHR, 0); err != nil {
			return pathError(name, err)
		}
		return nil
	case err != nil:
		return pathError(name, err)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return t.setOpaque(p, target)
	}
	return nil // the layer's own file hides the lower one
}

func (t *tree) opaqueDir(dir string) error {
	if dir == "." {
		t.opaque = true
		return nil
	}
	if _, err := t.enter(dir); err != nil {
		return err
	}
	p, err := t.enter(path.Dir(dir))
	if err != nil {
		return err
	}
	return t.setOpaque(p, path.Base(dir))
}

func (t *tree) setOpaque(p *parentDir, base string) error {
	if err := unix.Setxattr(procPath(p, base), opaqueXattr, []byte("y"), 0); err != nil {
		return fmt.Errorf("cannot mark %q as opaque, the file system has to know trusted.* attributes: %w", base, err)
	}
	return nil
}

// clearWhiteout makes room for an entry that its own layer has marked as deleted below; hidden says that there was one.
func (t *tree) clearWhiteout(p *parentDir, base string) (hidden bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(p.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || !isWhiteout(&st) {
		return false, nil // what is not there, or wrong, shows when the entry is made
	}
	if err := unix.Unlinkat(p.fd, base, 0); err != nil {
		return false, pathError(base, err)
	}
	return true, nil
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}
