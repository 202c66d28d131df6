package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/fault"
)

// attrs are what an entry has beside its name and content.
type attrs struct {
	kind     uint32 // S_IFREG, S_IFDIR...
	mode     uint32 // permission bits with setuid, setgid and sticky
	uid, gid int
	mtime    time.Time
	xattrs   map[string]string
	force    bool // the inode may have inherited or kept other attributes
}

func headerAttrs(h *tar.Header, kind uint32) (attrs, error) {
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= 1<<32-1 || int64(h.Gid) >= 1<<32-1 {
		return attrs{}, fault.Refusef("entry %q has an impossible owner %d:%d", fault.Clip(h.Name), h.Uid, h.Gid)
	}
	x, err := headerXattrs(h)
	return attrs{kind: kind, mode: uint32(h.Mode) & 0o7777, uid: h.Uid, gid: h.Gid, mtime: h.ModTime, xattrs: x}, err
}

// headerXattrs picks the extended attributes that belong to the content of an image. Labels of the builder's security
// modules (selinux, ima, evm, smack) are left out as containerd does: they mean nothing on another machine.
func headerXattrs(h *tar.Header) (map[string]string, error) {
	var out map[string]string
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if !ok {
			continue
		}
		switch {
		case strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "user.overlay."):
			return nil, fault.Refusef("entry %q carries the extended attribute %q, which belongs to the file system below", fault.Clip(h.Name), fault.Clip(name))
		case len(name) > 255 || len(value) > 65536:
			return nil, fault.Refusef("entry %q carries an extended attribute beyond the kernel's limits", fault.Clip(h.Name))
		case name == "security.capability", strings.HasPrefix(name, "user."), strings.HasPrefix(name, "system.posix_acl_"):
			if out == nil {
				out = map[string]string{}
			}
			out[name] = value
		}
	}
	return out, nil
}

// setAttrs gives the entry base of p its owner, mode, attributes and time, in this order: the kernel takes setuid bits
// and capabilities away when the owner changes. p's entries are ours alone while a layer is unpacked, so that following
// base is safe once its kind is known.
func (t *tree) setAttrs(p *parentDir, base string, a attrs) error {
	if a.force || p.setgid || a.uid != 0 || a.gid != 0 {
		if err := unix.Fchownat(p.fd, base, a.uid, a.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("cannot give %q to %d:%d: %w", base, a.uid, a.gid, err)
		}
	}
	if err := t.setXattrs(p, base, a); err != nil {
		return err
	}
	chmod := a.force || p.setgid || t.acls || a.uid != 0 || a.gid != 0 || a.mode&(t.umask|0o7000) != 0
	if a.kind != unix.S_IFLNK && chmod {
		if err := unix.Fchmodat(p.fd, base, a.mode, 0); err != nil {
			return fmt.Errorf("cannot set mode %o of %q: %w", a.mode, base, err)
		}
	}
	ts, err := unix.TimeToTimespec(a.mtime)
	if err != nil {
		return fault.Refusef("entry %q has an impossible time", fault.Clip(base))
	}
	if err := unix.UtimesNanoAt(p.fd, base, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set the time of %q: %w", base, err)
	}
	return nil
}

func (t *tree) setXattrs(p *parentDir, base string, a attrs) error {
	file := procPath(p, base)
	if t.acls && a.kind != unix.S_IFLNK {
		for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
			if err := unix.Lremovexattr(file, name); err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
				return fmt.Errorf("cannot take the inherited ACL from %q: %w", base, err)
			}
		}
	}
	for name, value := range a.xattrs {
		err := unix.Lsetxattr(file, name, []byte(value), 0)
		// The kernel allows user.* on files and directories only, and some file systems have none at all.
		optional := !strings.HasPrefix(name, "security.")
		if err != nil && (!optional || (!errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP))) {
			return fmt.Errorf("cannot set extended attribute %s of %q: %w", name, base, err)
		}
		t.acls = t.acls || name == "system.posix_acl_default"
	}
	return nil
}

// procPath names an entry for the calls that have no form relative to a descriptor.
func procPath(p *parentDir, base string) string {
	return "/proc/self/fd/" + strconv.Itoa(p.fd) + "/" + base
}
