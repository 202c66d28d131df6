package volume

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// Owner is whom the volumes of a pod are to belong to.
type Owner struct {
	User   *int64 // whom all its containers run as, if that is one and known
	Group  *int64 // fsGroup
	OnRoot bool   // fsGroupChangePolicy OnRootMismatch: a volume whose root is right is left alone
}

// OwnerOf reads the security contexts of a pod.
func OwnerOf(spec *corev1.PodSpec) Owner {
	o := Owner{User: onlyUser(spec)}
	if sc := spec.SecurityContext; sc != nil {
		o.Group = sc.FSGroup
		o.OnRoot = sc.FSGroupChangePolicy != nil && *sc.FSGroupChangePolicy == corev1.FSGroupChangeOnRootMismatch
	}
	return o
}

// onlyUser is the user of all containers, nil if they differ or an image decides.
func onlyUser(spec *corev1.PodSpec) *int64 {
	var user *int64
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			var own *int64
			if spec.SecurityContext != nil {
				own = spec.SecurityContext.RunAsUser
			}
			if sc := list[i].SecurityContext; sc != nil && sc.RunAsUser != nil {
				own = sc.RunAsUser
			}
			if own == nil || user != nil && *user != *own {
				return nil
			}
			user = own
		}
	}
	return user
}

// ofFile is what a file that podd writes gets: with an fsGroup its group may read it, as it is mounted read-only.
func (o Owner) ofFile(f File) (uid, gid int, mode uint32) {
	if o.Group == nil {
		return f.UID, 0, f.Mode
	}
	return f.UID, int(*o.Group), f.Mode | 0o440
}

// The bits that an fsGroup has of what a pod may write to, and those of the folders.
const (
	groupFile   = 0o660
	groupFolder = 0o770 | unix.S_ISGID
)

// Own gives a volume and all in it to the pod's group. What a container has put there is never followed.
func Own(dir string, o Owner) error {
	if o.Group == nil {
		return nil
	}
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return fmt.Errorf("cannot open a volume: %w", err)
	}
	defer closeFD(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("cannot look at a volume: %w", err)
	}
	if o.OnRoot && int64(st.Gid) == *o.Group && st.Mode&groupFolder == groupFolder {
		return nil
	}
	err = walk(fd, func(parent int, name string, st *unix.Stat_t) error {
		return own(parent, name, st, int(*o.Group))
	})
	// The root last: OnRootMismatch takes it for a sign that the rest is done.
	if err == nil {
		err = errors.Join(unix.Fchown(fd, -1, int(*o.Group)), unix.Fchmod(fd, st.Mode&0o7777|groupFolder))
	}
	if err != nil {
		return fmt.Errorf("cannot apply fsGroup %d: %w", *o.Group, err)
	}
	return nil
}

func own(parent int, name string, st *unix.Stat_t, gid int) error {
	if err := unix.Fchownat(parent, name, -1, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return ignoreGone(err)
	}
	bits := uint32(groupFile)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return nil
	case unix.S_IFDIR:
		bits = groupFolder
	}
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer closeFD(fd)
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil || now.Mode&unix.S_IFMT == unix.S_IFLNK {
		return err
	}
	return os.Chmod(procFD(fd), fileMode(now.Mode|bits))
}

// fileMode turns the kernel's bits into those of package os.
func fileMode(m uint32) os.FileMode {
	out := os.FileMode(m & 0o777)
	for bit, mode := range map[uint32]os.FileMode{unix.S_ISUID: os.ModeSetuid, unix.S_ISGID: os.ModeSetgid, unix.S_ISVTX: os.ModeSticky} {
		if m&bit != 0 {
			out |= mode
		}
	}
	return out
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// attrLabel is where SELinux has the label of a file.
const attrLabel = "security.selinux"

// Label gives a volume and all in it an SELinux label. One whose root has it is left alone, unless all is to be gone through:
// the root gets it last. What a container has put there is never followed.
func Label(dir, label string, all bool) error {
	if label == "" {
		return nil
	}
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return fmt.Errorf("cannot open a volume: %w", err)
	}
	defer closeFD(fd)
	if !all && labelOf(fd) == label {
		return nil
	}
	err = walk(fd, func(parent int, name string, _ *unix.Stat_t) error {
		handle, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return ignoreGone(err)
		}
		defer closeFD(handle)
		return setLabel(handle, label)
	})
	if err == nil {
		err = setLabel(fd, label)
	}
	if err != nil {
		return fmt.Errorf("cannot give a volume the SELinux label %q: %w", label, err)
	}
	return nil
}

func labelOf(fd int) string {
	text := make([]byte, 4096)
	n, err := unix.Getxattr(procFD(fd), attrLabel, text)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(text[:n])
}

func setLabel(fd int, label string) error {
	if labelOf(fd) == label { // also of a mount that has one label for all
		return nil
	}
	return unix.Setxattr(procFD(fd), attrLabel, []byte(label+"\x00"), 0)
}

// labelled are the options of a mount whose files all have a label.
func labelled(options, label string) string {
	if label == "" {
		return options
	}
	return options + `,context="` + label + `"`
}
